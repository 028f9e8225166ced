"""Which operations a run used: torch's functions as the student wrote them, and the aten operations underneath."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from types import CodeType, FrameType
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor
from torch._C._functorch import TransformType
from torch.overrides import TorchFunctionMode

from autograd_check.dispatch_mode import Watching
from autograd_check.requests import Candidate
from autograd_check.run.numeric_differentiation import Steps
from autograd_check.verify.tensors import LOW
from autograd_check.verify.trial import Trial

AUTOGRAD = "autograd"
"""Stands among the operations where something ran with the tape switched on."""

SINGLE = "float32"
"""Stands among the operations where one of them was given numbers of at most that precision."""

NUMERIC = "numeric_differentiation"
"""Stands among the operations where the function was evaluated a small step to either side of a primal."""

FEW = 12
"""So many evaluations of one function are in order, however small the point."""


class _Functions(TorchFunctionMode):
    def __init__(self, seen: dict[str, None]) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if torch.is_grad_enabled() or _differentiating():
            self._seen[AUTOGRAD] = None
        name = getattr(func, "__name__", "")
        if name and not name.startswith("__"):
            self._seen[name] = None
        return func(*args, **(kwargs or {}))


def _differentiating() -> bool:
    """Whether this runs inside one of `torch.func`'s derivatives: below them, where aten operations are seen, it does not show."""
    stack = torch._C._functorch.get_interpreter_stack()
    return bool(stack) and any(level.key() in (TransformType.Grad, TransformType.Jvp) for level in stack)


class _Aten(Watching):
    def __init__(self, seen: dict[str, None], steps: Steps) -> None:
        super().__init__()
        self._seen = seen
        self._steps = steps

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = func.name().partition("::")[2].partition(".")[0]
        self._seen[name] = None
        if torch.is_grad_enabled():
            self._seen[AUTOGRAD] = None
        watching = sys.getprofile()
        sys.setprofile(None)  # the grader's own calls are nobody's business
        for tensor in _tensors(args):  # before the operation, which may write into one
            self._steps.see(tensor)
        sys.setprofile(watching)
        factor = args[1] if len(args) > 1 and isinstance(args[1], (int, float)) else 0
        if factor and name.rstrip("_") in ("div", "mul"):
            self._steps.divide(factor if name.startswith("div") else 1 / factor)
        if factor and name.rstrip("_") in ("add", "sub"):
            self._steps.shift(factor)
        return super().__torch_dispatch__(func, types, args, kwargs)

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Note whether numbers of low precision took part."""
        for tensor in _tensors((*args, out)):
            if tensor.dtype in LOW:
                self._seen[SINGLE] = None


def _tensors(args: Sequence[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for argument in args:
        if isinstance(argument, Tensor):
            found.append(argument)
        elif isinstance(argument, (list, tuple)):
            found += _tensors(argument)
    return found


class _Calls:
    """Watches the calls of functions of some files: what they are given, and how often one evaluates all entries again.

    `many`: one function was given that many different tensors or arrays of the primals' size: as often as there are entries,
    which only a derivative by evaluation needs (k evaluations for k entries, or many directions).
    """

    def __init__(self, steps: Steps, files: Collection[str], entries: int) -> None:
        self.many = False
        self._steps = steps
        self._files = frozenset(files)
        self._entries = entries
        self._evaluations: dict[CodeType, set[bytes]] = {}

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        """As `sys.setprofile` calls it."""
        code = frame.f_code
        if event != "call" or code.co_filename not in self._files:
            return
        given = frame.f_locals
        for name in code.co_varnames[: code.co_argcount]:
            value = given.get(name)
            self._steps.see_call(value)
            if isinstance(value, Tensor):
                value = value.detach()
            if isinstance(value, (Tensor, ndarray)) and math.prod(value.shape) == self._entries > 0:
                # Below the modes: what is noted here is no operation of the student's.
                with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunctionSubclass():
                    self._count(code, bytes(np.ascontiguousarray(value)))

    def _count(self, code: CodeType, value: bytes) -> None:
        seen = self._evaluations.setdefault(code, set())
        seen.add(value)
        self.many = self.many or len(seen) > max(self._entries, FEW)


class OperationRecorder:
    """A context in which every torch operation is noted by name: `softmax` and `_softmax`, `linear` and `addmm`.

    `autograd`, `float32` and `numeric_differentiation` are among the names where that was seen; the last of them needs the
    `primals`, which are compared with what the operations are given. With `files`, what functions of those files are given is
    looked at as well: numbers and arrays take part in no operation of torch.
    """

    def __init__(self, primals: Sequence[Tensor] = (), files: Collection[str] = ()) -> None:
        self._seen: dict[str, None] = {}
        self._steps = Steps(primals)
        self._calls = _Calls(self._steps, files, max((primal.numel() for primal in primals), default=0))
        self._files = files if primals else ()
        self._modes = ExitStack()

    def __enter__(self) -> OperationRecorder:
        self._modes.enter_context(_Functions(self._seen))
        self._modes.enter_context(_Aten(self._seen, self._steps))
        if self._files:
            before = sys.getprofile()
            self._modes.callback(sys.setprofile, before)
            sys.setprofile(self._calls.note)
        return self

    def __exit__(self, *raised: object) -> None:
        self._modes.close()

    def names(self) -> tuple[str, ...]:
        """Distinct names in the order of first use."""
        return (*self._seen, NUMERIC) if self._steps.found or self._calls.many else tuple(self._seen)


def uses_single(candidate: Candidate, forward: str, backward: str, trial: Trial) -> bool:
    """Whether numbers of at most float32 were seen to take part in one forward and one backward at a trial's point."""
    outcome = candidate.operations(forward, trial.case.point, backward, trial.douts[0])
    return outcome.ok and SINGLE in outcome.value
