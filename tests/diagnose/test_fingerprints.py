"""A known mistake is named where it explains everything that is wrong, and nothing that is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import factor
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.explain import explain
from autograd_check.diagnose.fingerprints import Fingerprint, match_fingerprint, match_mutant, mistake_of
from autograd_check.verify.finding import Diagnosis

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def piece(got: Any, got_out: Any = X, scale: float = 1.0) -> Evidence:
    return Evidence("dx", got, X * scale, {"x": X}, {}, X, X, lambda _: {"dx": X * scale}, {"dx": got, "out": got_out})


def known(name: str, dx: Any, out: Any = X) -> Fingerprint:
    return Fingerprint(name, Cause.SIGN, lambda primals, hyper, dout: {"dx": dx, "out": out})


def test_a_mistake_in_both_passes_is_not_made_where_one_is_right() -> None:
    both = known("in both passes", 2 * X, 2 * X)
    assert match_fingerprint([piece(2 * X)], [both]) is None
    found = match_fingerprint([piece(2 * X, got_out=2 * X)], [both])
    assert found is not None
    assert found.evidence["mistake"] == "in both passes"
    assert found.source == "fingerprint"


def test_a_value_is_a_known_mistakes_whatever_another_backward_makes_of_it() -> None:
    forward = known("in the forward", 2 * X, 2 * X)
    value = Evidence("out", 2 * X, X, {"x": X}, {}, X, X, lambda _: {"dx": X}, {"dx": X, "out": 2 * X})
    found = match_fingerprint([value], [forward])
    assert found is not None
    assert mistake_of(found) == "in the forward"


def test_a_mistake_that_writes_both_passes_anew_needs_both_to_be_wrong() -> None:
    both = replace(known("in both passes", 2 * X, 2 * X), both=True)
    value = Evidence("out", 2 * X, X, {"x": X}, {}, X, X, lambda _: {"dx": X}, {"dx": X, "out": 2 * X})
    assert match_fingerprint([value], [both]) is None
    found = match_fingerprint([replace(value, got_all={"dx": 2 * X, "out": 2 * X})], [both])
    assert found is not None
    assert mistake_of(found) == "in both passes"


def test_a_mistake_explains_every_piece() -> None:
    one = known("twice", 2 * X)
    assert match_fingerprint([piece(2 * X), piece(3 * X)], [one]) is None
    assert match_fingerprint([piece(2 * X), piece(2 * X)], [one]) is not None


def test_a_mistake_may_make_no_difference_on_one_piece_but_must_on_another() -> None:
    one = known("twice", 2 * X)
    harmless = piece(2 * X * (1 + 1e-9), scale=2.0)
    assert match_fingerprint([piece(2 * X), harmless], [one]) is not None
    assert match_fingerprint([harmless], [one]) is None


def test_a_factor_explains_the_difference() -> None:
    assert factor(1.0000001 * X, X) is not None
    spoilt = X.clone()
    spoilt[0] *= 1 + 1e-9
    assert factor(spoilt, X) is None
    assert factor(X, X) == 1.0


def test_a_mutant_is_named_by_its_edit() -> None:
    edits = [known("one term is missing", 3 * X), known("the factor 2 is missing", 2 * X)]
    found = explain([piece(X.sin() + 2 * X)], (), lambda forward: [known("a sine is added", X.sin() + 2 * X), *edits])
    assert found is not None
    assert found.source == "mutant"
    assert found.says == "Your numbers are exactly those of the definition with one change: a sine is added."
    assert match_mutant([piece(X.sin())], edits) is None
    assert match_mutant([], edits) is None


def test_the_mistake_that_was_recognised_has_a_name() -> None:
    found = match_fingerprint([piece(2 * X)], [known("twice", 2 * X)])
    assert found is not None
    assert mistake_of(found) == "twice"
    assert mistake_of(Diagnosis(Cause.SIGN, "")) == ""
