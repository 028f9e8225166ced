"""A candidate for tests of references: calls the functions of a dict directly, without a checker between."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import torch

from autograd_check.causes import Cause
from autograd_check.requests import Seed
from autograd_check.verify.candidate import Failure, Outcome


def _fresh(value: Any) -> Any:
    return torch.Generator().manual_seed(value.value) if isinstance(value, Seed) else copy.deepcopy(value)


class Asking:
    """As much of a `Candidate` as `Properties` tasks use."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self.functions = functions

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Outcome:
        given, named = [_fresh(arg) for arg in args], {key: _fresh(value) for key, value in (kwargs or {}).items()}
        try:
            value = self.functions[function](*given, **named)
        except Exception as error:
            return Outcome(failure=Failure(Cause.CRASHED, str(error), type(error).__name__, trace=traceback.format_exc()))
        changed = [
            n for n, (a, b) in enumerate(zip(given, args, strict=True)) if isinstance(a, torch.Tensor) and not torch.equal(a, b)
        ]
        return Outcome(value, changed=tuple(f"argument {n}" for n in changed))


def namespace(
    module: ModuleType, functions: Mapping[str, Callable[..., Any]], edit: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The reference's own functions, some of them replaced, or its source edited; whoever calls them finds the new ones."""
    with open(str(module.__file__), encoding="utf-8") as file:
        source = file.read().split("### BEGIN SPEC")[0]
    if edit is not None:
        source = source.replace(*edit)
    space: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source, str(module.__file__), "exec"), space)  # a lesson's own file, up to its specification
    space.update(functions)
    return space
