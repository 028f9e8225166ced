"""What a zygote does once for all of its processes leaves nothing behind, and is what a process does."""

from __future__ import annotations

import socket
import sys
from typing import Any

import torch

from autograd_check.run import warming
from autograd_check.run.student import Prepared, serve
from autograd_check.run.wire import REPLY, REQUEST, receive, send

MATRIX = torch.rand((4, 4), dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_warming_leaves_nothing_behind() -> None:
    before = torch.get_rng_state(), torch.is_grad_enabled(), sys.stdout, sys.getprofile()
    assert [step.partition(" of ")[0] for step in warming.warm_up()][-1] == f"warmed {6 + warming.TIMES}"
    after = torch.get_rng_state(), torch.is_grad_enabled(), sys.stdout, sys.getprofile()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert "lesson" not in sys.modules


def test_what_is_practised_goes_well() -> None:
    """Else the way of a failure would be made quick."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        messages = list(warming._conversation(MATRIX))
        for number, message in enumerate(messages):
            send(mine, {"id": f"{number}", **message}, REQUEST)
        mine.shutdown(socket.SHUT_WR)
        serve(theirs, Prepared())
        theirs.close()
        answers: list[dict[str, Any]] = []
        while len(answers) < len(messages):
            answer = receive(mine, REPLY)
            answers += [answer] if "outcome" in answer else []
    assert [answer["outcome"]["failure"] for answer in answers] == [None] * len(messages)
