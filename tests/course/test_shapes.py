"""Shapes as text: what is read, what it means with sizes, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from autograd_check.course.shapes import Axis, Named, parse
from autograd_check.errors import CourseError


def test_a_layer_is_read_from_left_to_right() -> None:
    read = parse("x[N,D] w[D,4M] y[N]<C params s[] -> out[N,M'] state")
    assert [str(primal) for primal in read.primals] == ["x[N,D]", "w[D,4M]", "y[N]<C", "params", "s[]"]
    assert [str(out) for out in read.outs] == ["out[N,M']", "state"]
    assert read.sizes == ("N", "D", "M", "C")
    assert read.differentiable == ("x", "w", "params", "s")


def test_sizes_make_shapes() -> None:
    sizes = {"N": 4, "D": 3, "H": 2, "rest": (6, 7)}
    shapes = [primal.shape(sizes) for primal in parse("x[N,D] w[D,4H] s[] y[N,1] q[...,D] r[...] -> out[N]").primals]
    assert shapes == [(4, 3), (3, 8), (), (4, 1), (6, 7, 3), (6, 7)]


@pytest.mark.parametrize(
    ("written", "shape", "fixed"),
    [
        ("x[N,D]", (5, 2), {"N": 5, "D": 2}),
        ("w[D,4H]", (3, 8), {"D": 3, "H": 2}),
        ("x[...,D]", (2, 3, 4), {"rest": (2, 3), "D": 4}),
        ("x[...,D]", (4,), {"rest": (), "D": 4}),
        ("y[N,1]", (7, 1), {"N": 7}),
    ],
)
def test_a_literal_fixes_sizes(written: str, shape: tuple[int, ...], fixed: dict[str, Any]) -> None:
    sizes: dict[str, Any] = {}
    parse(f"{written} -> out[]").primals[0].fix(shape, sizes, "here")
    assert sizes == fixed


@pytest.mark.parametrize(
    ("written", "shape", "sizes", "says"),
    [
        ("x[N,D]", (5,), {}, r"here: x has shape \(5,\), which is not x\[N,D\]"),
        ("y[N,1]", (5, 2), {}, r"here: y has shape \(5, 2\), which is not y\[N,1\]"),
        ("w[4H]", (6,), {}, r"here: w has shape \(6,\), which is not w\[4H\]"),
        ("x[N]", (5,), {"N": 4}, r"here: N is 4, and x \(5,\) makes it 5"),
    ],
)
def test_a_literal_that_does_not_fit_is_refused(written: str, shape: tuple[int, ...], sizes: dict[str, Any], says: str) -> None:
    with pytest.raises(CourseError, match=says):
        parse(f"{written} -> out[]").primals[0].fix(shape, dict(sizes), "here")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x[N,D]", "expected PRIMALS -> OUTPUTS"),
        ("x[N -> out[N]", r"'x\[N' cannot be read; write x\[N,D\]"),
        ("x[N+1] -> out[N]", r"'N\+1' is not an axis"),
        ("x[N] x[N] -> out[N]", "two primals are called x"),
    ],
)
def test_what_cannot_be_read_is_shown(text: str, says: str) -> None:
    with pytest.raises(CourseError, match=says):
        parse(text)


def test_an_axis_is_a_count_of_a_size() -> None:
    assert Axis("H", 4).sizes({"H": 3}) == (12,)
    assert Axis("", 4).sizes({}) == (4,)
    assert Named("x", None).shape({}) == ()
