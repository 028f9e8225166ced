"""Relations with a definition in which one step passes its cotangent on wrongly: its derivative is left out, or has the wrong sign.

In a chain of functions the backward of one may be forgotten while all others are right. The definition runs again, and the call of
torch that is one step of it is replaced by one of the same value and another derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from autograd_check.causes import Cause
from autograd_check.diagnose.counterfactuals import ask, same_numbers
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.misplaced import MOST_AXES, Order, orders
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.tensors import is_differentiable

MOST_STEPS = 40
"""A definition of more steps is not gone through: each step costs a few backward passes."""

FLAT = ("flatten", "reshape", "view")
"""Steps that change the shape only."""

MASKS = ("relu", "leaky_relu", "clamp", "hardtanh", "where", "dropout", "threshold")
"""Steps whose derivative is a mask."""

Call = Callable[..., Any]
Edit = Callable[[Tensor, Call, tuple[Any, ...], Mapping[str, Any]], Tensor | None]
"""Another tensor of the same value for the output of a call with these arguments; None where the edit does not apply."""


def passed_on(out: Tensor, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Its derivative is left out: its only argument on the tape gets the cotangent as it is."""
    place = _only(out, args)
    if place is None:
        return None
    given: Tensor = args[place]
    return given + (out - given).detach()


def at_its_output(out: Tensor, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Its derivative is taken at what it returned, not at what it was given."""
    place = _only(out, args)
    if place is None:
        return None
    moved = args[place] + (out - args[place]).detach()
    elsewhere: Tensor = call(*args[:place], moved, *args[place + 1 :], **kwargs)
    return out.detach() + (elsewhere - elsewhere.detach())


def doubled(out: Tensor, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The cotangent goes on twice."""
    return 2 * out - out.detach()


def negated(out: Tensor, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The cotangent goes on with the wrong sign."""
    return 2 * out.detach() - out


def cut(place: int, out: Tensor, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """Nothing flows back to one of several arguments."""
    if place >= len(args) or not _on_tape(args[place]) or sum(map(_on_tape, args)) < 2:
        return None
    answer = call(*args[:place], args[place].detach(), *args[place + 1 :], **kwargs)
    return answer if isinstance(answer, Tensor) else None


def unflattened(order: Order, out: Tensor, call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """The cotangent goes on in another order: the axes of what came in are taken otherwise than they were."""
    given = args[0] if args else None
    if not isinstance(given, Tensor) or not _on_tape(given) or given.dim() != len(order) or given.numel() != out.numel():
        return None
    other = given.permute(order).reshape(out.shape)
    return out.detach() + (other - other.detach())


EDITS: tuple[tuple[Edit, Cause, str], ...] = (
    (passed_on, Cause.MISSING_TERM, "passed its cotangent on as it is: the derivative of that step is missing"),
    (at_its_output, Cause.WRONG_OPERAND, "were differentiated at its output: its input belongs there"),
    (negated, Cause.SIGN, "passed its cotangent on with the wrong sign"),
    (partial(cut, 0), Cause.MISSING_TERM, "passed nothing on to its first argument: one path is missing"),
    (partial(cut, 1), Cause.MISSING_TERM, "passed nothing on to its second argument: one path is missing"),
    (partial(cut, 2), Cause.MISSING_TERM, "passed nothing on to its third argument: one path is missing"),
    (doubled, Cause.EXTRA_TERM, "passed its cotangent on twice"),
)


class OneStep(TorchFunctionMode):
    """Counts the calls of torch that lie on the tape, and edits one of them; `names` are those of all, in order."""

    def __init__(self, edited: int = -1, edit: Edit = passed_on) -> None:
        super().__init__()
        self._edited = edited
        self._edit = edit
        self.names: list[str] = []
        self.applied = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """The call as it is, or edited."""
        given = kwargs or {}
        out = func(*args, **given)
        if not _on_tape(out) or out.grad_fn is None:
            return out
        self.names.append(_called(func))
        if len(self.names) - 1 != self._edited:
            return out
        other = self._edit(out, func, args, given)
        self.applied = other is not None
        return out if other is None else other


def _called(func: Any) -> str:
    """What a message calls a function of torch: `relu`, `T` for the property, `getitem` for brackets."""
    name = getattr(func, "__name__", "step")
    return str(getattr(getattr(func, "__self__", None), "__name__", name) if name == "__get__" else name.strip("_"))


def _on_tape(value: Any) -> bool:
    return is_differentiable(value) and value.requires_grad


def _only(out: Tensor, args: tuple[Any, ...]) -> int | None:
    """The place of the only argument on the tape, where it has the shape of the output."""
    places = [place for place, value in enumerate(args) if _on_tape(value)]
    return places[0] if len(places) == 1 and args[places[0]].shape == out.shape else None


@dataclass(frozen=True)
class Step:
    """A step of a definition: its number among those on the tape, and its name."""

    number: int
    name: str


def steps(piece: Evidence) -> list[Step]:
    """The steps of the definition in one call."""
    mode = OneStep()
    ask(piece, (piece.primals, piece.hyper, piece.dout), around=lambda: mode)
    return [Step(number, name) for number, name in enumerate(mode.names)]


def one_step(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The gradient of the definition with one step's backward left out, cut or of the wrong sign; the first that explains all probes."""
    piece = evidence[0]
    if piece.subject == "out" or not piece.forward_right or piece.at is None:
        return None
    walked = steps(piece)
    if not 1 < len(walked) <= MOST_STEPS or any(steps(one) != walked for one in evidence[1:]):
        return None
    for (edit, cause, words), step in product(EDITS, walked):
        if same_numbers(evidence, partial(_edited, step, edit)):
            if edit is passed_on and step.name in MASKS:
                cause, words = Cause.MASK_MISSING, "passed its cotangent on as it is: the mask of that step is missing"
            says = f"{piece.name} is what it would be if {_named(step, walked)} {words}."
            return Diagnosis(cause, says, {"step": step.number, "call": step.name})
    return next(filter(None, (_flattened(evidence, step, walked) for step in walked if step.name in FLAT)), None)


def _flattened(evidence: Sequence[Evidence], step: Step, walked: Sequence[Step]) -> Diagnosis | None:
    """A step that only changes the shape, whose cotangent is laid out in another order of the axes than the step went through."""
    for order in (order for rank in range(3, MOST_AXES + 1) for order in orders(rank)):
        if same_numbers(evidence, partial(_edited, step, partial(unflattened, order))):
            says = (
                f"{evidence[0].name} is what it would be if {_named(step, walked)} passed its cotangent on in another order of the "
                "axes: a reshape goes back by a reshape alone, to the shape that came in."
            )
            return Diagnosis(Cause.TRANSPOSED, says, {"step": step.number, "call": step.name, "order": list(order)})
    return None


def _edited(step: Step, edit: Edit, piece: Evidence) -> Tensor | None:
    mode = OneStep(step.number, edit)
    answer = ask(piece, (piece.primals, piece.hyper, piece.dout), around=lambda: mode)
    return answer if mode.applied else None


def _named(step: Step, walked: Sequence[Step]) -> str:
    alike = [one.number for one in walked if one.name == step.name]
    return f"the {step.name}" if len(alike) == 1 else f"{step.name} number {alike.index(step.number) + 1} of {len(alike)}"
