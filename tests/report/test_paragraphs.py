"""Paragraphs on lines of a given width."""

from __future__ import annotations

from autograd_check.report.paragraphs import filled, wrapped


def test_an_index_and_a_shape_are_not_broken() -> None:
    text = "how does out[n, m] change when x[n, d] of shape (N, D) does?"
    assert wrapped(text, 22) == ["how does out[n, m]", "change when x[n, d] of", "shape (N, D) does?"]
    assert filled("a sub-word is one", 12, "  ") == "  a sub-word\n  is one"
    assert wrapped("", 10) == []
