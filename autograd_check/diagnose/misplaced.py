"""The right numbers at other places: an operand that is read in another order, or flat places counted with the wrong row length."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import permutations

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.counterfactuals import ask, same_numbers, tensors
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis

MOST_AXES = 4
"""Of more axes there are too many orders."""

DOUT = "dout"

Order = tuple[int, ...]
Layout = Callable[[Tensor, Order], Tensor]


def orders(rank: int) -> Iterator[Order]:
    """Every order of so many axes but their own."""
    if rank <= MOST_AXES:
        yield from list(permutations(range(rank)))[1:]


def gathered(x: Tensor, order: Order) -> Tensor:
    """The same shape, filled with the numbers as they come when the axes are taken in another order."""
    return x.permute(order).reshape(x.shape)


def spread(x: Tensor, order: Order) -> Tensor:
    """The reverse: the numbers as they come, laid out as if the axes had another order."""
    back = [order.index(axis) for axis in range(x.dim())]
    return x.reshape([x.shape[axis] for axis in order]).permute(back)


def read_in_another_order(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The answer for an operand whose numbers are laid out along its axes in another order: a reshape where axes had to be moved."""
    piece = evidence[0]
    smallest_first = sorted(evidence, key=lambda one: one.expected.numel())
    for name in _operands(piece):
        arrays = [x for one in evidence if (x := _operand(one, name)) is not None]
        for order, lay_out in _layouts(max(arrays, key=Tensor.numel)) if arrays else ():
            if same_numbers(smallest_first, partial(_with_order, name, order, lay_out)):
                says = (
                    f"{piece.name} is what it would be if the numbers of {name} stood in another order: a reshape stands where "
                    "axes had to be moved, or axes are moved where they had to stay."
                )
                cause = Cause.FORWARD_WRONG if piece.subject == "out" else Cause.TRANSPOSED
                return Diagnosis(cause, says, {"operand": name, "order": list(order)})
    return None


def _layouts(x: Tensor) -> Iterator[tuple[Order, Layout]]:
    """The ways to lay out the numbers of an array that give another array, each once."""
    seen = [x]
    for order in orders(x.dim()):
        for lay_out in (gathered, spread):
            other = lay_out(x, order)
            if not any(torch.equal(other, one) for one in seen):
                seen.append(other)
                yield order, lay_out


def _operands(piece: Evidence) -> list[str]:
    names = [name for name in tensors(piece) if f"d{name}" != piece.subject]
    return [*([DOUT] if piece.subject != "out" and isinstance(piece.dout, Tensor) else []), *names]


def _operand(piece: Evidence, name: str) -> Tensor | None:
    found = piece.dout if name == DOUT else piece.primals.get(name)
    return found if isinstance(found, Tensor) else None


def _with_order(name: str, order: Order, lay_out: Layout, piece: Evidence) -> Tensor | None:
    x = _operand(piece, name)
    if x is None or x.dim() != len(order):
        return None
    other = lay_out(x, order)
    if name == DOUT:
        found = piece.vjp(other).get(piece.subject)
        return found if isinstance(found, Tensor) else None
    return ask(piece, ({**piece.primals, name: other}, piece.hyper, piece.dout))


def row_length(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The right numbers at flat places that are counted with the height of an image for the length of its rows."""
    if any(piece.got.shape != piece.expected.shape or piece.got.dim() < 2 for piece in evidence):
        return None
    if not same_numbers(evidence, _counted_by_columns):
        return None
    height, width = evidence[0].expected.shape[-2:]
    says = (
        f"{evidence[0].name} has the right numbers at the flat places row · {height} + column, as if a row were as long as a column: "
        f"a row has {width} entries."
    )
    return Diagnosis(Cause.TRANSPOSED, says, {"height": height, "width": width})


def _counted_by_columns(piece: Evidence) -> Tensor | None:
    height, width = piece.expected.shape[-2:]
    places = (torch.arange(height)[:, None] * height + torch.arange(width)).reshape(-1)
    if height > width:  # the last places lie outside
        return None
    flat = piece.expected.flatten(-2)
    return torch.zeros_like(flat).index_add(flat.dim() - 1, places, flat).reshape(piece.expected.shape)
