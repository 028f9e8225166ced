"""The process of its own: how it is lost, started again, and given up; and the zygote it comes from."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import torch

from autograd_check.errors import AutogradCheckError
from autograd_check.run.zygote import Zygote
from autograd_check.verify.candidate import Point
from tests.support import is_gone

LINES = "import os, time\ndef good(): return 1\ndef hang():\n    while True: pass\ndef leave(): os._exit(7)\n"


def one(value: Any) -> Any:
    return torch.tensor([value], dtype=torch.float64)


def test_other_functions_are_still_judged_after_a_loss(zygote: Zygote) -> None:
    with zygote.candidate(LINES, "a.py", deadline=0.5) as candidate:
        hung: Any = candidate.call("hang", []).failure
        assert hung.cause == "timed_out"
        assert candidate.call("good", []).value == 1
        failure: Any = candidate.call("leave", []).failure
        assert (failure.cause, failure.says) == ("exited", "it ended its own process with exit code 7")
        assert candidate.call("good", []).value == 1


def test_after_three_losses_calls_fail_at_once(zygote: Zygote) -> None:
    with zygote.candidate(LINES, "a.py", deadline=0.2) as candidate:
        for _ in range(3):
            hung: Any = candidate.call("hang", []).failure
            assert hung.says == "it was stopped after 0.2 s; is there a loop that never ends?"
        failure: Any = candidate.call("good", []).failure  # a right function: only one that was not called fails
    assert failure.cause == "timed_out"
    assert failure.says == (
        "not called again after 3 lost processes; the last: it was stopped after 0.2 s; is there a loop that never ends?"
    )


def test_a_death_by_signal_is_named(zygote: Zygote) -> None:
    with zygote.candidate("import os\ndef f(): os.kill(os.getpid(), 11)\n", "a.py") as candidate:
        failure: Any = candidate.call("f", []).failure
    assert (failure.cause, failure.says) == ("died", "its process was ended by SIGSEGV")


def test_a_backward_that_is_lost_leaves_the_output(zygote: Zygote) -> None:
    source = "import os\ndef f_forward(x): return x * 3, x\ndef f_backward(d, c): os._exit(1)\n"
    with zygote.candidate(source, "a.py") as candidate:
        outcome = candidate.vjp("f_forward", "f_backward", Point({"x": one(2.0)}), [one(1.0)])
    assert torch.equal(outcome.value[0], one(6.0))
    assert outcome.value[1] == []
    assert outcome.failure is not None
    assert outcome.failure.cause == "exited"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("torch.zeros(1 << 25)", "expected at most 67108864 bytes of tensors, got 134217728"),
        ("['x' * 9000] * 40", "expected a header of at most 262144 bytes, got "),
    ],
)
def test_an_answer_that_is_too_large(zygote: Zygote, expression: str, says: str) -> None:
    with zygote.candidate(f"import torch\ndef f(): return {expression}\ndef g(): return 1\n", "a.py") as candidate:
        failure: Any = candidate.call("f", []).failure
        assert candidate.call("g", []).value == 1
    assert failure.cause == "crashed"
    assert failure.says.startswith(f"what it returned is too large to check: {says}")


def test_candidates_do_not_see_one_another(zygote: Zygote) -> None:
    writes = "import torch\ntorch.mark = 1\ndef f(): return hasattr(torch, 'mark')\n"
    reads = "import torch\ndef f(): return hasattr(torch, 'mark')\n"
    with zygote.candidate(writes, "a.py") as first, zygote.candidate(reads, "b.py") as second:
        assert first.call("f", []).value is True
        assert second.call("f", []).value is False
    assert not hasattr(torch, "mark")


def test_isolation_is_stated(zygote: Zygote) -> None:
    with zygote.candidate("", "a.py") as candidate:
        assert candidate.isolation.startswith("own process; rlimits; ")
        assert candidate.isolation.endswith("; deadline by the grader")


def test_a_closed_candidate_leaves_no_process_and_no_descriptor(zygote: Zygote) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with zygote.candidate("import os\ndef f(): return os.getpid()\n", "a.py") as candidate:
        pid = candidate.call("f", []).value
    assert is_gone(pid)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_zygote_that_dies_is_started_again() -> None:
    with Zygote(start="spawn") as zygote, zygote.candidate("import os\ndef f(): return os.getppid()\n", "a.py") as candidate:
        parent = candidate.call("f", []).value
        os.kill(parent, signal.SIGKILL)
        os.waitid(os.P_PID, parent, os.WEXITED | os.WNOWAIT)
        assert not candidate.call("f", []).ok
        assert candidate.call("f", []).value != parent


def test_a_spawned_zygote_works_alike_and_is_closed_with_its_students() -> None:
    zygote = Zygote(start="spawn")
    assert zygote.start_method == "spawn"
    with zygote.candidate("import os\ndef f(): return os.getpid()\n", "a.py") as candidate:
        pid = candidate.call("f", []).value
        assert os.path.exists(f"/proc/{pid}")
        zygote.close()
        assert not os.path.exists(f"/proc/{pid}")
    with pytest.raises(AutogradCheckError, match="expected an open zygote, got a closed one; make a new one"):
        zygote.candidate("", "a.py").loaded()
