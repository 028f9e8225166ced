"""What the probes that fail have in common, and those that pass have not: often the clue to a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from torch import Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.tensors import leaves

MOST_VALUES = 3
"""So many values of a hyperparameter are listed."""

ENOUGH_ENTRIES = 10
"""So many entries must have passed: a mistake that spoils only some, say the negative ones, spares fewer by chance."""

LEFT_OUT = "left out"
"""The value of a hyperparameter that a probe does not give."""

Trait = Callable[[Point], object]


def clue(failing: Sequence[Point], passing: Sequence[Point]) -> str:
    """One sentence on what sets the failing probes apart: a hyperparameter, a number of axes, an axis of size 1; empty if nothing.

    One trait must separate them all: no value of it may stand on both sides. Where two do, either may be the reason, and where
    too few entries passed, they passed by chance.
    """
    if not failing or sum(map(_size, passing)) < ENOUGH_ENTRIES:
        return ""
    found = list(_traits(failing, passing))
    return f"It is {found[0]}." if len(found) == 1 else ""


def _traits(failing: Sequence[Point], passing: Sequence[Point]) -> Iterator[str]:
    """Every trait that separates the probes, in words."""
    for name in dict.fromkeys(name for point in (*failing, *passing) for name in point.hyper):
        found = _apart(failing, passing, partial(_setting, name))
        if found and all(_is_plain(point.hyper.get(name)) for point in (*failing, *passing)):
            yield f"wrong only where {name} is {'given' if found == f'not {LEFT_OUT}' else found}"
    found = _apart(failing, passing, _rank)
    if found == "not 0":
        yield "right only where the input is a single number"
    elif found:
        yield f"wrong only where the input has {found} axes"
    if all(map(_has_one, failing)) and not any(map(_has_one, passing)):
        yield "wrong only where an axis has size 1"


def _is_plain(value: object) -> bool:
    """Whether a hyperparameter is a setting; a seed, a generator or a tensor, of which each probe has its own, is no condition."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _apart(failing: Sequence[Point], passing: Sequence[Point], trait: Trait) -> str:
    """The failing values of a trait (or what they are not) where it separates the probes."""
    wrong = list(dict.fromkeys(str(trait(point)) for point in failing))
    right = list(dict.fromkeys(str(trait(point)) for point in passing))
    if {*wrong} & {*right}:
        return ""
    if len(right) == 1 and len(wrong) > 1:
        return f"not {right[0]}"
    return " or ".join(wrong) if len(wrong) <= MOST_VALUES else ""


def _setting(name: str, point: Point) -> object:
    return point.hyper.get(name, LEFT_OUT)


def _tensors(primals: Mapping[str, object]) -> list[Tensor]:
    return [leaf for leaf in leaves(dict(primals)) if isinstance(leaf, Tensor)]


def _size(point: Point) -> int:
    return next((x.numel() for x in _tensors(point.primals)), 1)


def _rank(point: Point) -> object:
    return next((x.dim() for x in _tensors(point.primals)), 0)


def _has_one(point: Point) -> bool:
    first = next(iter(_tensors(point.primals)), None)
    return first is not None and 1 in first.shape
