"""Which operations a run used: torch's functions as the student wrote them, and the aten operations underneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

AUTOGRAD = "autograd"
"""Stands among the operations where something ran with the tape switched on."""


class _Functions(TorchFunctionMode):
    def __init__(self, seen: dict[str, None]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if name and not name.startswith("__"):
            self._seen[name] = None
        return func(*args, **(kwargs or {}))


class _Aten(TorchDispatchMode):
    def __init__(self, seen: dict[str, None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._seen = seen

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler for this mode: a second for every fresh process.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self._seen[func.name().partition("::")[2].partition(".")[0]] = None
        if torch.is_grad_enabled():
            self._seen[AUTOGRAD] = None
        return func(*args, **(kwargs or {}))


class OperationRecorder:
    """A context in which every torch operation is noted by name: `softmax` and `_softmax`, `linear` and `addmm`.

    `autograd` is among the names where an operation ran with gradients enabled.
    """

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}
        self._modes = ExitStack()

    def __enter__(self) -> OperationRecorder:
        self._modes.enter_context(_Functions(self._seen))
        self._modes.enter_context(_Aten(self._seen))
        return self

    def __exit__(self, *raised: object) -> None:
        self._modes.close()

    def names(self) -> tuple[str, ...]:
        """Distinct names in the order of first use."""
        return tuple(self._seen)
