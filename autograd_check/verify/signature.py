"""The branch signature of a run: every discrete decision that it made, hashed.

Two runs with one signature went through the same branches, so between their inputs the function is (as far as can be
seen) one smooth formula. A difference quotient across two signatures measures a kink.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from autograd_check.verify.decisions import decisions

SMOOTH = b""
"""The signature of a run that decided nothing: wherever it runs, it takes the same branches."""

READS_VALUE = frozenset({"_local_scalar_dense", "equal", "item"})
"""Operations that hand a value to python, where what it decides cannot be seen; the operations that follow can."""


class BranchRecorder(TorchDispatchMode):
    """Records branch decisions while it is active.

    Recorded are: boolean and integer results (comparisons, indices of max, sort, topk and pooling), the sign of what enters
    relu, abs and their kin, where clamps hold, which of two arguments maximum and minimum took, and once a value was read
    into python, the sequence of operations.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._hash = hashlib.blake2b(digest_size=16)
        self._decided = False
        self._read = False

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # By default torch imports its whole compiler for a mode's first use: a second for every fresh process.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation, and note its decisions."""
        named = kwargs or {}
        out = func(*args, **named)
        name = func._schema.name.split("::")[1].rstrip("_")
        if name in READS_VALUE:
            self._read = self._decided = True
        if self._read:
            self._hash.update(name.encode())
        for decided in decisions(name, args, named, out):
            self._decided = True
            self._hash.update(decided.detach().contiguous().cpu().numpy().tobytes())
        return out

    def digest(self) -> bytes:
        """The signature so far: 16 bytes, or `SMOOTH` where nothing was decided."""
        return self._hash.digest() if self._decided else SMOOTH
