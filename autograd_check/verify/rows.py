"""What a request over many points gives back: outputs with their branch signatures, one by one or in a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

from torch import Tensor

from autograd_check.verify.tree import leaves, map_leaves

Row = tuple[Any, bytes | None]
"""`(out, signature)` at a point; `out` None where the forward raises, `signature` None if not asked for."""


class Batch(Sequence[Row]):
    """Outputs of one batched call: each tensor of the output has the points along its first axis.

    A row is cut out when it is asked for; who takes differences of all rows uses `columns` as they are.
    """

    def __init__(self, form: Any, columns: Sequence[Tensor]) -> None:
        """`form` is the nest of one output, made of tensors alone; `columns` holds its leaves, stacked."""
        self._form = form
        self.columns = tuple(columns)

    def __len__(self) -> int:
        return len(self.columns[0])

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Batch: ...
    def __getitem__(self, index: int | slice) -> Row | Batch:
        if isinstance(index, slice):
            return Batch(self._form, [column[index] for column in self.columns])
        return self._row([column[index] for column in self.columns])

    def __iter__(self) -> Iterator[Row]:
        return map(self._row, zip(*(column.unbind(0) for column in self.columns), strict=True))

    def _row(self, tensors: Sequence[Tensor]) -> Row:
        if isinstance(self._form, Tensor):
            return tensors[0], None
        given = iter(tensors)
        return map_leaves(lambda _: next(given), self._form), None


def batchable(form: Any) -> bool:
    """Whether a nest is made of tensors alone, at least one."""
    found = leaves(form)
    return bool(found) and all(isinstance(leaf, Tensor) for leaf in found)
