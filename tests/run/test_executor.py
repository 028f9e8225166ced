"""What is particular to code in this process."""

import signal
import threading
import time

import torch

from autograd_check.run.executor import InProcess
from autograd_check.verify.candidate import Point


def test_functions_that_exist_already():
    def forward(x):
        return x * x, x

    def backward(dout, x):
        return 2 * x / 0 if x is None else 2 * x * dout

    candidate = InProcess.of({"f": forward, "b": backward})
    x, dout = torch.tensor([3.0]), torch.tensor([2.0])
    assert candidate.functions() == ("f", "b")
    assert float(candidate.vjp("f", "b", Point({"x": x}), [dout]).value[1][0]) == 12.0
    failure = candidate.call("b", [dout, None]).failure
    assert failure.exception == "TypeError"
    assert failure.where.startswith(__file__)
    assert "in backward" in failure.trace


def test_isolation_says_what_holds():
    candidate = InProcess("def f(): return 1\n", "a.py")
    assert candidate.isolation == "same process; deadline by alarm (not inside one long operation); trusted code only"
    found = []
    thread = threading.Thread(target=lambda: found.append(InProcess("def f(): return 1\n", "a.py")))
    thread.start()
    thread.join()
    assert found[0].isolation == "same process; no deadline; trusted code only"
    assert found[0].call("f", []).value == 1


def test_alarms_of_others_are_put_back():
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    waiting = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        assert InProcess("def f():\n    while True: pass\n", "a.py", deadline=0.1).call("f", []).failure.cause == "timed_out"
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 0.25
        time.sleep(0.35)
        assert rung == [1]
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *waiting)


def test_a_finished_call_leaves_no_alarm():
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    waiting = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        assert InProcess("def f(): return 1\n", "a.py", deadline=0.05).call("f", []).value == 1
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        time.sleep(0.1)
        assert rung == []
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *waiting)


def test_without_capture_prints_reach_the_terminal(capsys):
    with InProcess("def f(): print('here')\n", "a.py", capture=False) as candidate:
        assert candidate.call("f", []).printed == ""
    assert capsys.readouterr().out == "here\n"
