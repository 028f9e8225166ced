"""What costs most the first time, done in a zygote once, so that the processes forked from it find it done.

That is what torch sets up when it is first used; and the way of a question through the process and back, which python makes
faster for itself after some calls (PEP 659): a forked process that does so on its own pays for it in every page that it changes.
"""

from __future__ import annotations

import socket
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.run.branches import BranchRecorder
from autograd_check.run.operations import OperationRecorder
from autograd_check.run.restore import same_start
from autograd_check.run.student import Prepared, serve
from autograd_check.run.wire import REQUEST, send
from autograd_check.verify.candidate import Point

TIMES = 24
"""Calls after which nearly all instructions are the faster ones: a function's after 8, each of them after a few more."""

PAIR = """\
def practice_forward(x, w):
    out = x @ w + w[0]
    return out, (x, w)


def practice_backward(dout, cache):
    x, w = cache
    return dout @ w.T + dout.sum(0), x.T @ dout


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
        for recorder in (OperationRecorder(), BranchRecorder()):
            with recorder:
                usual(matrix)

    steps: tuple[Callable[[], Any], ...] = (
        lambda: (matrix @ matrix, matrix.sum(0), matrix.exp(), matrix[matrix > 0.5], torch.equal(matrix, matrix)),
        lambda: torch.einsum("ij,jk->ik", matrix, matrix),
        record,
        tape,
        lambda: torch.func.vmap(lambda row: row * 2)(matrix),
        lambda: torch.nn.functional.conv2d(matrix[None, None], matrix[None, None, :2, :2]),
        *[partial(practise, matrix)] * TIMES,
    )
    for number, step in enumerate(steps):
        with warnings.catch_warnings(), torch.no_grad() if step is not tape else torch.enable_grad():
            warnings.simplefilter("ignore")
            step()
        yield f"warmed {number + 1} of {len(steps)}"


def usual(x: Tensor) -> None:
    """The operations that layers are made of: torch looks each of them up when a mode sees it for the first time."""
    row, positive, chosen = x[0], x.abs() + 1, x > 0.5
    for unary in (torch.exp, torch.tanh, torch.sigmoid, torch.relu, torch.neg, torch.sign, torch.erf, torch.square):
        unary(x)
    for unary in (torch.log, torch.sqrt, torch.rsqrt, torch.reciprocal):
        unary(positive)
    for binary in (torch.add, torch.sub, torch.mul, torch.div, torch.maximum, torch.minimum, torch.pow):
        binary(positive, row)
    for reduced in (torch.sum, torch.mean, torch.amax, torch.argmax, torch.var, torch.logsumexp):
        reduced(x, 0)
    x.sum(), x.mean(), x.max(), x + 1, x - 1, x * 2, x / 2, 1 - x, x**2, x.sum(0, keepdim=True)
    x.T.contiguous(), x.reshape(2, 8), x.view(-1), x.flatten(), x[:, 0], x[1:], x[None], x.unsqueeze(0).expand(2, 4, 4)
    x < row, x == row, x * chosen, ~chosen, chosen.to(x.dtype), torch.where(chosen, x, row), x.clamp(min=0), x.float()
    torch.zeros_like(x), torch.ones_like(x), torch.full_like(x, 2), torch.zeros(4), torch.arange(4), torch.eye(4)
    (
        torch.stack([x, x]),
        torch.cat([x, x]),
        torch.matmul(x[None], x[None]),
        x @ row,
        torch.outer(row, row),
        x.masked_fill(chosen, 0),
    )
    written = x.clone()
    written[0] = row
    written[chosen] = 0
    written += x


def practise(matrix: Tensor) -> None:
    """A whole conversation about a file of the grader's own, with a process's code and in no process of its own."""
    mine, theirs = socket.socketpair()
    with same_start(), mine, theirs:  # random numbers go on as if nothing had been
        for number, message in enumerate(_conversation(matrix)):
            send(mine, {"id": f"{number}", **message}, REQUEST)
        mine.shutdown(socket.SHUT_WR)
        serve(theirs, Prepared())


def _conversation(matrix: Tensor) -> Iterator[dict[str, Any]]:
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
