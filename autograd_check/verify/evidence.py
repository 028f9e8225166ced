"""What is known about one wrong gradient on one probe: the material from which a diagnosis is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Evidence:
    """A wrong array beside the right one, and the call it came from.

    `subject` is what the array is ("dw"), `got` and `expected` the two arrays (shapes may differ), `primals`, `hyper`,
    `out` and `dout` the call. `vjp` gives all right gradients by subject for another cotangent at the same point.
    `own` is autograd of the code's own forward for this subject (None where it could not be taped), `forward_right` whether
    the forward's value was right. `at` gives the right answers by subject, `out` included, of another call
    (primals, hyper, dout); None where there is no definition to ask. `called` is what a sentence calls the array where that
    is not its subject.
    """

    subject: str
    got: Tensor
    expected: Tensor
    primals: Mapping[str, Any]
    hyper: Mapping[str, Any]
    out: Any
    dout: Any
    vjp: Callable[[Any], Mapping[str, Any]]
    got_all: Mapping[str, Any]
    own: Tensor | None = None
    forward_right: bool = True
    probe: str = ""
    at: Callable[[Mapping[str, Any], Mapping[str, Any], Any], Mapping[str, Any]] | None = None
    called: str = ""

    @property
    def name(self) -> str:
        """What a sentence calls the array."""
        return self.called or self.subject

    @property
    def is_empty(self) -> bool:
        """Whether an array has no entries (an axis of length 0): then anything is true of all of them, and nothing is known."""
        return self.got.numel() == 0 or self.expected.numel() == 0
