"""What is particular to code in this process."""

from __future__ import annotations

import signal
import threading
import time
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.run import batch
from autograd_check.run.batch import Batch
from autograd_check.run.in_process import InProcess, Trusted
from autograd_check.run.operations import SINGLE
from autograd_check.run.restore import same_start
from autograd_check.verify.candidate import Outcome, Point
from autograd_check.verify.rays import Walk, draw_rays


def cause_of(outcome: Outcome) -> str:
    assert outcome.failure is not None
    return outcome.failure.cause


def test_functions_that_exist_already() -> None:
    def forward(x: Any) -> Any:
        return x * x, x

    def backward(dout: Any, x: Any) -> Any:
        return dout * 2 * x

    candidate = InProcess.of({"f": forward, "b": backward})
    x, dout = torch.tensor([3.0]), torch.tensor([2.0])
    assert candidate.functions() == ("f", "b")
    assert float(candidate.vjp("f", "b", Point({"x": x}), [dout]).value[1][0]) == 12.0
    failure: Any = candidate.call("b", [dout, None]).failure
    assert failure.exception == "TypeError"
    assert failure.where.startswith(__file__)
    assert "in backward" in failure.trace


def test_isolation_says_what_holds() -> None:
    candidate = InProcess("def f(): return 1\n", "a.py")
    assert candidate.isolation == "same process; deadline by alarm (not inside one long operation); trusted code only"
    found = []
    thread = threading.Thread(target=lambda: found.append(InProcess("def f(): return 1\n", "a.py")))
    thread.start()
    thread.join()
    assert found[0].isolation == "same process; no deadline; trusted code only"
    assert found[0].call("f", []).value == 1


def test_alarms_of_others_are_put_back() -> None:
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    waiting = signal.setitimer(signal.ITIMER_REAL, 600)
    endless = InProcess("def f():\n    while True: pass\n", "a.py", deadline=0.1)
    try:
        assert cause_of(endless.call("f", [])) == "timed_out"
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 599.9
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert cause_of(endless.call("f", [])) == "timed_out"
        for _ in range(1000):  # it was due during the call
            if not rung:
                time.sleep(0.01)
        assert rung == [1]
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, *waiting)


def test_a_finished_call_leaves_no_alarm() -> None:
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


def test_without_capture_prints_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with InProcess("def f(): print('here')\n", "a.py", capture=False) as candidate:
        assert candidate.call("f", []).printed == ""
    assert capsys.readouterr().out == "here\n"


X = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def square(x: Any) -> Any:
    return x * x, x


def square_backward(dout: Tensor, x: Any) -> Any:
    return 2 * dout * x


def vjp(candidate: Any, *douts: Any, x: Any = X, **asked: Any) -> Any:
    return candidate.vjp("forward", "backward", Point({"x": x}), list(douts), **asked)


def test_trusted_functions_go_by_two_names() -> None:
    candidate = Trusted(square, square_backward)
    assert candidate.functions() == ("forward", "backward")
    assert candidate.loaded().ok
    assert candidate.isolation == "same process; trusted code"
    assert torch.equal(vjp(candidate, X).value[1][0], 2 * X * X)


def test_trusted_functions_may_print_and_warn(capsys: pytest.CaptureFixture[str]) -> None:
    def forward(x: Any) -> Any:
        print("here")
        warnings.warn("mind", stacklevel=1)
        return square(x)

    with pytest.warns(UserWarning, match="mind"):
        outcome = vjp(Trusted(forward, square_backward), X)
    assert outcome.printed == ""
    assert capsys.readouterr().out == "here\n"


@pytest.mark.parametrize(
    ("error", "cause", "says"),
    [
        (NotImplementedError(), "not_implemented", ""),
        (ZeroDivisionError("oh"), "crashed", "oh"),
        (SystemExit(3), "exited", "it called sys.exit(3)"),
    ],
)
def test_what_trusted_functions_raise_is_a_failure(error: Any, cause: str, says: str) -> None:
    def backward(dout: Tensor, cache: Any) -> Any:
        raise error

    failure = vjp(Trusted(square, backward), X).failure
    assert (failure.cause, failure.says, failure.exception) == (cause, says, type(error).__name__)
    assert failure.where.startswith(__file__)
    assert "in backward" in failure.trace


def test_ctrl_c_ends_a_check_of_trusted_functions() -> None:
    def backward(dout: Tensor, cache: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vjp(Trusted(square, backward), X)


def test_trusted_functions_find_autograd_as_the_caller_left_it() -> None:
    def forward(x: Any) -> Any:
        root = x.detach().requires_grad_()
        return (root**2).detach(), (root, root**2)

    def backward(dout: Tensor, cache: Any) -> Any:
        return torch.autograd.grad(cache[1], cache[0], dout)

    assert torch.equal(vjp(Trusted(forward, backward), X).value[1][0][0], 2 * X * X)


def test_every_forward_has_the_same_start_and_a_backward_goes_on_from_it() -> None:
    layer = torch.nn.BatchNorm1d(1).double()

    def forward(x: Any) -> Any:
        return layer(x[:, None]).detach() + torch.rand(1), float(layer.get_buffer("running_mean"))

    def backward(dout: Tensor, mean: Any) -> Any:
        return dout * mean + torch.rand(1)

    with same_start(forward) as rewind:
        candidate = Trusted(forward, backward, rewind=rewind)
        outcome = vjp(candidate, X, X)
        first, again = outcome.value[1]
        assert torch.equal(first, again)
        swept = candidate.sweep("forward", [Point({"x": X})] * 2).value
        assert all(torch.equal(out, outcome.value[0]) for out, _ in swept)
        rewind()
        drawn = [torch.rand(1) for _ in range(2)]
    torch.testing.assert_close(first, 0.1 * X.mean() * X + drawn[1], rtol=1e-14, atol=0)


def walk(count: Any = 6) -> Any:
    point = Point({"x": X})
    (line,) = draw_rays(point.primals, ["x"], ("uniform",), torch.Generator().manual_seed(0))
    return Walk(point, [(line, 2.0**-k) for k in range(count)])


def test_a_tidy_forward_is_given_the_points_themselves_and_another_one_copies() -> None:
    seen = []

    def forward(x: Any) -> Any:
        seen.append(x)
        return square(x)

    candidate, point = Trusted(forward, square_backward), Point({"x": X})
    candidate.sweep("forward", [point])
    assert seen[-1] is not X
    vjp(candidate, X)
    candidate.sweep("forward", [point])
    assert seen[-1] is X

    def untidy(x: Any) -> Any:
        seen.append(x)
        x *= 2
        return square(x)

    candidate = Trusted(untidy, square_backward)
    assert vjp(candidate, X).changed == ("x",)
    candidate.sweep("forward", [point])
    assert seen[-1] is not X
    assert X.tolist() == [1.0, -2.0, 0.5]


def test_many_points_of_trusted_functions_are_evaluated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LONG", 0.0)
    monkeypatch.setattr(batch, "perf_counter", iter(range(100)).__next__)
    points = walk()
    rows = Trusted(square, square_backward).sweep("forward", points).value
    assert isinstance(rows, Batch)
    assert all(torch.equal(out, point.primals["x"] ** 2) for (out, _), point in zip(rows, points, strict=True))


def test_a_forward_that_fails_everywhere_says_why() -> None:
    def forward(x: Any) -> Any:
        raise ValueError("not here")

    outcome = Trusted(forward, square_backward).sweep("forward", walk())
    assert [out for out, _ in outcome.value] == [None] * 6
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.failure.says) == ("crashed", "not here")


def test_operations_of_trusted_functions() -> None:
    point = Point({"x": X})
    assert SINGLE not in Trusted(square, square_backward).operations("forward", point, "backward", X).value
    single = Trusted(square, lambda dout, x: (2 * dout * x).float().double())
    assert SINGLE in single.operations("forward", point, "backward", X).value


def test_trusted_functions_have_no_deadline() -> None:
    """No alarm is set while they run."""
    timers = []

    def backward(dout: Tensor, x: Any) -> Any:
        timers.append(signal.getitimer(signal.ITIMER_REAL))
        return square_backward(dout, x)

    waiting = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        assert vjp(Trusted(square, backward), X).ok
    finally:
        signal.setitimer(signal.ITIMER_REAL, *waiting)
    assert timers == [(0.0, 0.0)]
