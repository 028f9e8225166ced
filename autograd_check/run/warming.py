"""What costs most the first time, done in a zygote once, so that the processes forked from it find it done.

That is what torch sets up when it is first used; and the way of a question through the process and back, which python makes
faster for itself after some calls (PEP 659): a forked process that does so on its own pays for it in every page that it changes.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator

from autograd_check.run.operations import OperationRecorder
from autograd_check.run.restore import same_start
from autograd_check.run.student import serve
from autograd_check.run.wire import REQUEST, send
from autograd_check.verify.candidate import Point

TIMES = 24
"""Calls after which nearly all instructions are the faster ones: a function's after 8, each of them after a few more."""

PAIR = """\
def practice_forward(x, w):
    out = x @ w
    return out, (x, w)


def practice_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout


def practice_step(param, grad, state):
    return param - grad, state
"""


def warm_up() -> Iterator[str]:
    """Run what costs most the first time, one thing a step."""
    generator = Generator().manual_seed(0)
    matrix = torch.rand((4, 4), generator=generator, dtype=torch.float64)

    def tape() -> None:
        root = matrix.clone().requires_grad_()
        torch.autograd.grad((root @ root).sum(), root)

    def record() -> None:
        with OperationRecorder():
            (matrix @ matrix).sum()

    steps: tuple[Callable[[], Any], ...] = (
        lambda: (matrix @ matrix, matrix.sum(0), matrix.exp(), matrix[matrix > 0.5], torch.equal(matrix, matrix)),
        lambda: torch.einsum("ij,jk->ik", matrix, matrix),
        record,
        tape,
        lambda: torch.func.vmap(lambda row: row * 2)(matrix),
        lambda: torch.nn.functional.conv2d(matrix[None, None], matrix[None, None, :2, :2]),
        lambda: practise(matrix),
    )
    for number, step in enumerate(steps):
        with warnings.catch_warnings(), torch.no_grad() if step is not tape else torch.enable_grad():
            warnings.simplefilter("ignore")
            step()
        yield f"warmed {number + 1} of {len(steps)}"


def practise(matrix: torch.Tensor) -> None:
    """Whole conversations about a file of the grader's own, with a process's code and in no process of its own."""
    with same_start():  # random numbers go on as if nothing had been
        for _ in range(TIMES):
            mine, theirs = socket.socketpair()
            with mine, theirs:
                for number, message in enumerate(_conversation(matrix)):
                    send(mine, {"id": f"{number}", **message}, REQUEST)
                mine.shutdown(socket.SHUT_WR)
                serve(theirs)


def _conversation(matrix: torch.Tensor) -> Iterator[dict[str, Any]]:
    point, forward, backward = Point({"x": matrix, "w": matrix.T}), "practice_forward", "practice_backward"
    pair = {"forward": forward, "backward": backward, "point": point}
    yield {"source": PAIR, "filename": "practice.py", "dependencies": {}, "borrowed": {}, "deadline": 5.0}
    for shared in (False, True):
        asked = {**pair, "douts": [matrix, matrix], "share_cache": shared, "between": None, "wrt": ["x", "w"]}
        yield {"ask": "vjp", "with": asked}
    for signatures in (False, True):
        swept = {"forward": forward, "points": [point] * 4, "signatures": signatures, "returns_cache": True}
        yield {"ask": "sweep", "with": swept}
    for name, dout in ((None, None), (backward, matrix)):
        yield {"ask": "operations", "with": {**pair, "backward": name, "dout": dout, "returns_cache": True}}
    yield {"ask": "call", "with": {"function": forward, "args": [matrix, matrix], "kwargs": {}}}
    steps = {"starts": [matrix], "gradients": [[matrix]] * 2, "hyper": {}, "together": False}
    yield {"ask": "trajectory", "with": {"function": "practice_step", **steps}}
