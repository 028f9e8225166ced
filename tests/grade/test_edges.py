"""The same entries in other memory, once for every combination of ranks that has no such case yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.course.probe import Convention
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.edges import Edge, check_cases, non_contiguous_cases
from autograd_check.requests import StateAfter
from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Finding, Status
from autograd_check.verify.tensors import non_contiguous
from autograd_check.verify.trial import Case, PairNames

SHAPES = [(2,), (5,), (4, 3), (1, 5), (5, 1), (3, 3), (2, 3, 4), (1, 1, 6), (2, 1, 3, 1), (2, 3, 2, 4), (0, 3)]


def numbered(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.arange(torch.Size(shape).numel()).reshape(shape).to(dtype)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if 0 not in shape])
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.complex128])
def test_entries_stay_and_memory_changes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    plain = numbered(*shape, dtype=dtype)
    other = non_contiguous(plain)
    assert torch.equal(other, plain)
    assert other.dtype is dtype
    assert not other.is_contiguous()


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 4), (2, 3, 2, 4), (2, 1, 3, 1)])
def test_a_flat_view_of_several_axes_is_refused_by_torch(shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        non_contiguous(numbered(*shape)).view(-1)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (0,), (0, 3)])
def test_what_has_one_layout_only_stays(shape: tuple[int, ...]) -> None:
    plain = numbered(*shape)
    assert non_contiguous(plain) is plain


def case(name: str, convention: Convention | None = None, **primals: object) -> Case:
    point = Point(primals, {"eps": 0.1})
    return Case(name, point) if convention is None else Edge(name, point, convention=convention)


def test_every_combination_of_ranks_is_made_once_from_its_first_case_that_has_another_layout() -> None:
    cases = [
        case("a number", x=numbered()),
        case("batch of one", x=numbered(1, 1)),
        case("4 rows", x=numbered(4, 3)),
        case("5 rows", x=numbered(5, 3)),
        case("one axis", x=numbered(6)),
        case("at an edge", Convention(Cause.TIES, "says"), x=numbered(2, 2, 2)),
    ]
    made = list(non_contiguous_cases(cases))
    assert [made_case.name for made_case in made] == ["4 rows, non-contiguous", "one axis, non-contiguous"]
    assert torch.equal(made[0].point.primals["x"], numbered(4, 3))
    assert made[0].point.hyper == {"eps": 0.1}
    assert not isinstance(made[0], Edge)


def test_ranks_that_have_such_a_case_are_left_alone() -> None:
    cases = [case("4 rows", x=numbered(4, 3)), case("one axis", x=numbered(4)), case("turned", x=numbered(3, 4).T)]
    assert [made.name for made in non_contiguous_cases(cases)] == ["one axis, non-contiguous"]


def test_all_tensors_of_a_nest_are_changed_and_what_is_no_tensor_stays() -> None:
    state = object()
    cases = [case("a network", x=numbered(4, 3), params=[(numbered(3, 2), numbered(2))], step=3, state=state)]
    (made,) = non_contiguous_cases(cases)
    (w, b), x = made.point.primals["params"][0], made.point.primals["x"]
    assert not any(tensor.is_contiguous() for tensor in (w, b, x))
    assert made.point.primals["step"] == 3
    assert made.point.primals["state"] is state


def test_a_difference_means_what_it_means_where_a_lesson_says_so() -> None:
    layout = Convention(Cause.LAYOUT, "x may be any view", 0.5)
    cases = [case("4 rows", x=numbered(4, 3)), case("turned", layout, x=numbered(2, 3, 4).mT)]
    (made,) = non_contiguous_cases(cases)
    assert isinstance(made, Edge)
    assert (made.name, made.convention) == ("4 rows, non-contiguous", layout)


def test_tensors_of_the_calls_before_a_state_are_changed_too() -> None:
    before = StateAfter((Point({"x": numbered(4, 3)}),), (Point({"x": numbered(5, 2)}),))
    (made,) = non_contiguous_cases([case("third call", x=numbered(4, 3), state=before)])
    state = made.point.primals["state"]
    assert [point.primals["x"].is_contiguous() for point in (*state.calls, *state.others)] == [False, False]
    assert torch.equal(state.others[0].primals["x"], numbered(5, 2))


def judged(names: PairNames, functions: dict[str, Any], cases: list[Case]) -> dict[tuple[str, str], Finding]:
    """The failed findings by check and subject."""
    with InProcess.of(functions) as candidate:
        findings = check_cases(names, cases, Context(candidate, 0))
    return {(finding.check, finding.subject): finding for finding in findings if finding.status is Status.FAILED}


def tie(says: str, *entries: float) -> Edge:
    point = Point({"x": torch.tensor(entries, dtype=torch.float64)})
    return Edge("a tie", point, True, convention=Convention(Cause.TIES, says))


def test_a_convention_never_touches_the_gradient() -> None:
    names = PairNames("relu_forward", "relu_backward", ("x",), torch.relu)
    cases = [Case("plain", Point({"x": numbered(4, 3) - 5.5})), tie("relu'(0) is 0 here", 0.0, 0.0, 0.0)]
    functions = {"relu_forward": lambda x: (x.clamp(min=0), x), "relu_backward": lambda d, x: d * (x >= 0)}
    found = judged(names, functions, cases)
    assert set(found) == {("ties", "relu_backward")}
    assert "dx differs at this edge" in found["ties", "relu_backward"].message
    assert "relu'(0) is 0 here" in found["ties", "relu_backward"].message


def test_nan_at_a_tie_is_an_error() -> None:
    names = PairNames("abs_forward", "abs_backward", ("x",), torch.abs)
    cases = [Case("ordinary", Point({"x": numbered(2) - 0.5})), tie("at 0 the gradient is 0.", 0.0, 1.0)]

    def found(backward: Callable[..., Any]) -> set[tuple[str, str]]:
        return set(judged(names, {"abs_forward": lambda x: (x.abs(), x), "abs_backward": backward}, cases))

    assert found(lambda dout, x: dout * torch.where(x >= 0, 1.0, -1.0)) == {("ties", "abs_backward")}
    assert found(lambda dout, x: dout * x / x.abs()) == {("finite", "dx")}
