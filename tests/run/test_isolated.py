"""The process of its own: how it is lost, started again, and given up; and the zygote it comes from."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

import pytest
import torch

from autograd_check.errors import AutogradCheckError
from autograd_check.run import student
from autograd_check.run.lending import Lender
from autograd_check.run.zygote import ROOM, Zygote
from autograd_check.verify.candidate import Outcome, Point, Question
from autograd_check.verify.tensors import equal_bits
from tests.support import children, comes_true, is_gone

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


def test_a_tensor_of_one_entry_may_have_any_stride(zygote: Zygote) -> None:
    with zygote.candidate("import torch\ndef f(): return torch.ones(()).expand(1)\n", "a.py") as candidate:
        assert torch.equal(candidate.call("f", []).value, torch.ones(1))


def test_an_answer_that_cannot_be_packed_is_said_to_be_so() -> None:
    tried: list[Any] = []

    def answer(record: Any, limits: Any) -> list[bytes]:
        tried.append(record)
        if len(tried) == 1:
            raise RuntimeError("no such bytes")
        return [b"x"]

    mine, theirs = socket.socketpair()
    with mine, theirs:
        student._reply(mine, answer, {"id": "7"}, Outcome(3.0))
        assert theirs.recv(10) == b"x"
    assert tried[1]["id"] == "7"
    failure = tried[1]["outcome"]["failure"]
    assert (failure["cause"], failure["says"]) == ("crashed", "what it returned cannot be read: RuntimeError: no such bytes")


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
    with (
        Zygote(start="spawn", outer=False) as zygote,
        zygote.candidate("import os\ndef f(): return os.getppid()\n", "a.py") as candidate,
    ):
        parent = candidate.call("f", []).value
        os.kill(parent, signal.SIGKILL)
        os.waitid(os.P_PID, parent, os.WEXITED | os.WNOWAIT)
        assert not candidate.call("f", []).ok
        assert candidate.call("f", []).value != parent


def test_a_spawned_zygote_works_alike_and_is_closed_with_its_students() -> None:
    zygote = Zygote(start="spawn", outer=False)
    assert zygote.start_method == "spawn"
    with zygote.candidate("import os\ndef f(): return os.getpid()\n", "a.py") as candidate:
        pid = candidate.call("f", []).value
        assert os.path.exists(f"/proc/{pid}")
        zygote.close()
        assert not os.path.exists(f"/proc/{pid}")
    with pytest.raises(AutogradCheckError, match="expected an open zygote, got a closed one; make a new one"):
        zygote.candidate("", "a.py").loaded()


PAIR = """
import os, time
def f_forward(x):
    return x * 3, x
def f_backward(dout, x): return dout * 3
def leaves_forward(x): os._exit(3)
def count_forward(x, seen=[]):
    seen.append(0)
    return x * 0 + len(seen), None
"""


def question(forward: str = "f_forward", **changed: Any) -> Question:
    given = {"forward": forward, "backward": "f_backward", "point": Point({"x": one(2.0)}), "douts": [one(1.0)]}
    return Question("vjp", {**given, "share_cache": False, "between": None, "wrt": ("x",), **changed})


def sweep(forward: str = "f_forward", count: int = 3) -> Question:
    points = [Point({"x": one(float(number))}) for number in range(count)]
    return Question("sweep", {"forward": forward, "points": points, "signatures": False, "returns_cache": True})


def sent_ahead(candidate: Any) -> list[Question]:
    return [ahead.question for ahead in candidate._ahead]


def test_questions_that_the_zygote_was_taught_are_sent_ahead(zygote: Zygote) -> None:
    first, second = question(), question("count_forward")
    expected = []
    for known in (0, 2):
        with zygote.candidate(PAIR, "a.py") as candidate:
            candidate.loaded()  # the first one's process is older than the lesson
            candidate.expect([first, second])
            assert len(sent_ahead(candidate)) == known
            expected.append((candidate.ask(first), candidate.ask(second)))
            assert sent_ahead(candidate) == []
    for one_by_one, together in zip(*expected, strict=True):
        assert equal_bits(one_by_one.value, together.value)
        assert one_by_one.failure == together.failure


def test_what_is_asked_otherwise_than_expected_is_answered_all_the_same(zygote: Zygote) -> None:
    """The questions in between are passed over: their answers are nobody's."""
    first, second = question(), question("count_forward", douts=[])
    for _ in range(2):
        with zygote.candidate(PAIR, "a.py") as candidate:
            candidate.expect([first, second])
            assert candidate.call("count_forward", [one(0.0)]).ok
            assert candidate.ask(first).value[1][0] == 3
            assert candidate.ask(second).ok


def test_a_process_that_is_lost_takes_the_questions_ahead_with_it(zygote: Zygote) -> None:
    first, leaves, last = question(), question("leaves_forward"), question(point=Point({"x": one(5.0)}))
    for _ in range(2):
        with zygote.candidate(PAIR, "a.py") as candidate:
            candidate.expect([first, leaves, last])
            assert candidate.ask(first).ok
            failure: Any = candidate.ask(leaves).failure
            assert (failure.cause, failure.says) == ("exited", "it ended its own process with exit code 3")
            assert candidate.ask(last).value[0] == 15


def test_a_sweep_is_sent_ahead_only_where_it_is_quick_enough_to_be_asked_at_once(zygote: Zygote) -> None:
    first, many = question(), sweep()
    for number in range(2):
        with zygote.candidate(PAIR, "a.py") as candidate:
            candidate.loaded()
            candidate.expect([many])  # nothing is known of its pace
            assert sent_ahead(candidate) == []
            assert candidate.ask(first).ok
            candidate.expect([many])
            assert sent_ahead(candidate) == [many] * number
            assert [float(out) for out, _ in candidate.ask(many).value] == [0, 3, 6]
    zygote.teach(first)
    with zygote.candidate(PAIR, "a.py") as candidate:
        candidate.loaded()
        candidate.expect([first])
        candidate._pace["f_forward"] = 0.02  # what is in vain must not take long
        candidate.expect([first, many, first])
        assert sent_ahead(candidate) == [first, first]


def test_one_process_serves_whatever_is_expected_before_the_file_is_loaded(zygote: Zygote) -> None:
    first, second = question(), question(point=Point({"x": one(7.0)}))
    with zygote.candidate(PAIR, "a.py") as candidate:
        candidate.expect([first])
        pid = candidate._child.pid
        candidate.expect([second])
        assert candidate._child.pid == pid
        assert [float(candidate.ask(each).value[0]) for each in (first, second)] == [6, 21]


def test_a_file_that_does_not_load_is_told_whatever_was_expected(zygote: Zygote) -> None:
    asked = question()
    for _ in range(2):
        with zygote.candidate("raise ValueError('no')\n", "a.py") as candidate:
            candidate.expect([asked])
            failure: Any = candidate.loaded().failure
            assert (failure.cause, failure.says) == ("crashed", "no")
            assert candidate.ask(asked).failure == failure


def test_code_that_borrows_is_asked_one_thing_at_a_time(zygote: Zygote) -> None:
    """A question in its channel would be taken for the answer to its own."""
    source = (
        "from lessons.u02_network.linear import twice\ndef f_forward(x): return twice(x), x\ndef f_backward(d, x): return d * 2\n"
    )
    asked = [question(), question(point=Point({"x": one(3.0)}))]
    for _ in range(2):
        with zygote.candidate(source, "a.py", lender=Lender({"linear": {"twice": lambda x: x * 2}})) as candidate:
            candidate.expect(asked)
            assert sent_ahead(candidate) == []
            assert [float(candidate.ask(each).value[0]) for each in asked] == [4, 6]


def test_a_question_that_cannot_be_sent_is_not_taught(zygote: Zygote) -> None:
    for point in (Point({"x": object()}), Point({"x": torch.zeros(ROOM // 8)}, {"k": torch.zeros(ROOM // 8 + 1)})):
        asked = question(point=point)
        zygote.teach(asked)
        child = zygote.birth()
        assert zygote.number_of(asked, child) is None
        zygote.end(child)


def test_numbers_are_those_of_the_zygote_that_was_taught() -> None:
    """A question of one and a question of the next may have the same number."""
    asked = question()
    with Zygote(start="spawn", outer=False) as zygote:
        zygote.teach(asked)
        before = zygote.birth()
        assert zygote.number_of(asked, before) == 0
        os.kill(zygote._process, signal.SIGKILL)
        os.waitid(os.P_PID, zygote._process, os.WEXITED | os.WNOWAIT)
        after = zygote.birth()
        assert zygote.number_of(asked, after) is None
        zygote.teach(question())
        zygote.teach(asked)
        assert zygote.number_of(asked, before) is None
        assert zygote.number_of(asked, after) is None
        last = zygote.birth()
        assert zygote.number_of(asked, last) == 1
        for child in (before, after, last):
            zygote.end(child)


def test_a_zygote_that_is_started_again_is_taught_again() -> None:
    asked = question()
    with Zygote(start="spawn", outer=False) as zygote:
        for _ in range(2):
            zygote.teach(asked)
            os.kill(zygote._process, signal.SIGKILL)
            os.waitid(os.P_PID, zygote._process, os.WEXITED | os.WNOWAIT)
            with zygote.candidate(PAIR, "a.py") as candidate:
                candidate.expect([asked])
                assert candidate.ask(asked).ok
            with zygote.candidate(PAIR, "a.py") as candidate:
                candidate.expect([asked])
                assert sent_ahead(candidate) == [asked]
                assert candidate.ask(asked).ok
        assert zygote.starts == 3


def test_the_process_of_the_next_file_is_ready_before_it_is_asked_for() -> None:
    source = "import os\ndef f(): return os.getpid(), os.getppid()\n"
    with Zygote(ahead=True, outer=False) as zygote:
        with zygote.candidate(source, "a.py") as candidate:
            pid, parent = candidate.call("f", []).value
            assert comes_true(lambda: len(children(parent)) == 2)
            (following,) = children(parent) - {pid}
        with zygote.candidate(source, "b.py") as candidate:
            assert candidate.call("f", []).value == (following, parent)
            assert comes_true(lambda: pid not in children(parent))
    assert is_gone(following)


def test_a_process_that_was_prepared_waits_for_the_next_file(zygote: Zygote) -> None:
    zygote.prepare()
    zygote.prepare()
    assert zygote.end(zygote.birth()) in (None, 0)  # killed, or gone by itself when its channel was closed
    zygote.prepare()
    with zygote.candidate("import os\ndef f(): os._exit(4)\n", "a.py") as candidate:
        zygote.prepare()  # what is told of it comes before the end of the other
        failure: Any = candidate.call("f", []).failure
        assert failure.says == "it ended its own process with exit code 4"
