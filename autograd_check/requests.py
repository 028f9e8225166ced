"""What tasks may ask of the code under test, and values that are made on its side: a generator, a function, a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from torch import Tensor

from autograd_check.verify.candidate import Outcome, PairCandidate, Point, Question
from autograd_check.verify.tensors import map_tensors


@dataclass(frozen=True)
class Seed:
    """Stands for a fresh `torch.Generator` with this seed, made anew for every call."""

    value: int


@dataclass(frozen=True)
class Code:
    """Stands for the value of a python expression that the grader wrote, such as a function handed to the student's checker.

    `setup` is run first and may define functions; `expression` is evaluated after it.
    """

    expression: str
    setup: str = ""


@dataclass(frozen=True)
class StateAfter:
    """Stands, as the last primal, for the state that the same function has after these calls; None before the first.

    The calls are points without a state: each is given the state that the one before returned. `others` are calls of another
    layer, which run after them with a state of their own.
    """

    calls: tuple[Point, ...] = ()
    others: tuple[Point, ...] = ()

    def map_tensors(self, function: Callable[[Tensor], Any]) -> StateAfter:
        """The same calls with `function` applied to every tensor."""
        return StateAfter(tuple(_mapped(function, call) for call in self.calls), tuple(_mapped(function, o) for o in self.others))


def _mapped(function: Callable[[Tensor], Any], point: Point) -> Point:
    return replace(point, primals={name: map_tensors(function, value) for name, value in point.primals.items()})


class Candidate(PairCandidate, Protocol):
    """What checks of any task may ask of the code under test."""

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Outcome:
        """Call a plain function; `Seed` and `Code` arguments are made into generators and functions on the other side."""
        ...

    def operations(
        self, forward: str, point: Point, backward: str | None = None, dout: Any = None, *, returns_cache: bool = True
    ) -> Outcome:
        """The torch operations that one forward (and one backward for `dout`) used: a tuple of distinct names.

        Both torch's functions as they were called (`softmax`, `linear`) and the aten operations underneath (`_softmax`,
        `addmm`); and the notes `autograd` where something ran with gradients enabled, `float32` where a number of that
        precision (or less) took part, `numeric_differentiation` where a primal came back a small step to either side.
        """
        ...

    def timed(self, forward: str, backward: str, point: Point, dout: Any, times: int) -> Outcome:
        """Run a forward and its backward `times` times; the value is the seconds of one, told by the code's own side."""
        ...

    def trajectory(
        self,
        function: str,
        starts: Sequence[Any],
        gradients: Sequence[Sequence[Any]],
        hyper: Mapping[str, Any] | None = None,
        *,
        together: bool = False,
    ) -> Outcome:
        """A whole run of an optimiser's step: the value is a list with the parameters after every step.

        At each step `function(param, grad, state, **hyper)` moves every parameter in turn; its state, any object, stays on
        the other side. `together` steps are `function(params, grads, **hyper)`. The list is shorter than `gradients` where a
        step fails (then there is a failure as well) or a parameter is no tensor any more.
        """
        ...


class Here:
    """A candidate in this process, which begins with nothing before it is asked."""

    def ask(self, question: Question) -> Outcome:
        """See `PairCandidate.ask`."""
        outcome: Outcome = getattr(self, question.ask)(**question.given)
        return outcome

    def expect(self, questions: Sequence[Question]) -> None:
        """See `PairCandidate.expect`."""
