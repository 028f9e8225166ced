"""What checks of several functions at the same points have in common, computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Memo:
    """Points, cotangents, directions and the reference's answers: nothing that depends on the code under test.

    One object serves as many checks as there are; each thing in it is made when it is first asked for.
    """

    _kept: dict[Hashable, tuple[tuple[object, ...], Any]] = field(default_factory=dict, repr=False)

    def once(self, what: Hashable, owners: Sequence[object], make: Callable[[], Value]) -> Value:
        """The value that `make` gave when `what` was first asked for of these very objects (kept alive from then on)."""
        key = (what, *map(id, owners))
        if key not in self._kept:
            self._kept[key] = (tuple(owners), make())
        value: Value = self._kept[key][1]
        return value

    def known(self, what: Hashable, owners: Sequence[object]) -> Any:
        """What `once` has made of these objects; None where it was not asked for."""
        return self._kept.get((what, *map(id, owners)), (None, None))[1]
