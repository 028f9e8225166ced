"""A forward at many points, on the side of the code under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from autograd_check.verify.candidate import Point
from autograd_check.verify.signature import BranchRecorder


def sweep(forward: Callable[..., Any], points: Sequence[Point], *, signatures: bool = False) -> list[tuple[Any, bytes | None]]:
    """`(out, signature)` at every point; `out` None where the forward raises, `signature` None if not asked for."""
    return [_evaluate(forward, point, signatures) for point in points]


def _evaluate(forward: Callable[..., Any], point: Point, signature: bool) -> tuple[Any, bytes | None]:
    try:
        with torch.no_grad():
            if not signature:
                return forward(*point.primals.values(), **point.hyper), None
            with BranchRecorder() as recorder:
                out = forward(*point.primals.values(), **point.hyper)
            return out, recorder.digest()
    except Exception:  # whatever the code raises, there is no value here
        return None, None
