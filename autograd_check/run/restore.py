"""What a call may leave behind, put back: torch's random numbers, and the running statistics of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

SEED = 20_110
"""Random numbers of every evaluation start here: dropout and its kin draw the same mask each time."""

Rewind = Callable[[], bool | None]
"""Puts things back; True where it wrote into a buffer, so that a tape that saved the buffer no longer runs."""


def reseed() -> None:
    """Start torch's random numbers anew. (`torch.manual_seed` would import the compiler, a second.)"""
    torch.default_generator.manual_seed(SEED)


@contextmanager
def same_start(*functions: Any) -> Iterator[Rewind]:
    """A call that puts random numbers at their start and the buffers that the functions reach back to where they are now.

    On leaving, both are as they were on entering.
    """
    state = torch.get_rng_state()
    modules = {id(module): module for function in functions for module in reached(function)}
    kept = [(buffer, buffer.detach().clone()) for module in modules.values() for buffer in module.buffers()]

    def rewind() -> bool:
        reseed()
        for buffer, before in kept:
            with torch.no_grad():
                buffer.copy_(before)
        return bool(kept)

    try:
        yield rewind
    finally:
        rewind()
        torch.set_rng_state(state)


def reached(function: Any) -> Iterator[nn.Module]:
    """Modules that a callable is, is bound to, closes over, or names among its globals."""
    if isinstance(function, nn.Module):
        yield function
        return
    if isinstance(function, partial):
        yield from reached(function.func)
        candidates: list[Any] = [*function.args, *function.keywords.values()]
    else:
        code = getattr(function, "__code__", None)
        known = getattr(function, "__globals__", {})
        cells = [cell for cell in getattr(function, "__closure__", None) or () if _filled(cell)]
        candidates = [getattr(function, "__self__", None), *(cell.cell_contents for cell in cells)]
        candidates += [known.get(name) for name in (code.co_names if code is not None else ())]
    yield from (value for value in candidates if isinstance(value, nn.Module))


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that is bound later
        return False
