"""Which operations a run used: torch's functions as the student wrote them, and the aten operations underneath."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from autograd_check.course.requests import Candidate
from autograd_check.run.numeric_differentiation import Steps
from autograd_check.verify.trial import Trial

AUTOGRAD = "autograd"
"""Stands among the operations where something ran with the tape switched on."""

SINGLE = "float32"
"""Stands among the operations where one of them was given numbers of at most that precision."""

NUMERIC = "numeric_differentiation"
"""Stands among the operations where the function was evaluated a small step to either side of a primal."""

_LOW = (torch.float32, torch.float16, torch.bfloat16, torch.complex64)


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
    def __init__(self, seen: dict[str, None], steps: Steps) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._seen = seen
        self._steps = steps

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler for this mode: a second for every fresh process.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = func.name().partition("::")[2].partition(".")[0]
        self._seen[name] = None
        if torch.is_grad_enabled():
            self._seen[AUTOGRAD] = None
        for tensor in _tensors(args):
            self._steps.see(tensor)
        factor = args[1] if len(args) > 1 and isinstance(args[1], (int, float)) else 0
        if factor and name.rstrip("_") in ("div", "mul"):
            self._steps.divide(factor if name.startswith("div") else 1 / factor)
        result = func(*args, **(kwargs or {}))
        if any(tensor.dtype in _LOW for tensor in _tensors((*args, result))):
            self._seen[SINGLE] = None
        return result


def _tensors(args: Sequence[Any]) -> Iterator[Tensor]:
    for argument in args:
        if isinstance(argument, Tensor):
            yield argument
        elif isinstance(argument, (list, tuple)):
            yield from _tensors(argument)


class OperationRecorder:
    """A context in which every torch operation is noted by name: `softmax` and `_softmax`, `linear` and `addmm`.

    `autograd`, `float32` and `numeric_differentiation` are among the names where that was seen; the last of them needs the
    `primals`, which are compared with what the operations are given.
    """

    def __init__(self, primals: Sequence[Tensor] = ()) -> None:
        self._seen: dict[str, None] = {}
        self._steps = Steps(primals)
        self._modes = ExitStack()

    def __enter__(self) -> OperationRecorder:
        self._modes.enter_context(_Functions(self._seen))
        self._modes.enter_context(_Aten(self._seen, self._steps))
        return self

    def __exit__(self, *raised: object) -> None:
        self._modes.close()

    def names(self) -> tuple[str, ...]:
        """Distinct names in the order of first use."""
        return (*self._seen, NUMERIC) if self._steps.found else tuple(self._seen)


def uses_single(candidate: Candidate, forward: str, backward: str, trial: Trial) -> bool:
    """Whether numbers of at most float32 were seen to take part in one forward and one backward at a trial's point."""
    outcome = candidate.operations(forward, trial.case.point, backward, trial.douts[0])
    return outcome.ok and SINGLE in outcome.value
