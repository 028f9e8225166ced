"""The public check of a hand-written pair: what it lets through, and what it does not."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

import autograd_check as ac

X = torch.tensor([[1.0, -2.0, 0.5], [0.25, 3.0, -1.0]], dtype=torch.float64)


def square_forward(x: Tensor) -> Any:
    return x * x, x


def oracle(x: Tensor) -> Tensor:
    return x.square()


def test_a_forward_may_return_a_list() -> None:
    assert ac.check_vjp(lambda x: [x * x, x], lambda dout, x: [2 * dout * x], [X], oracle=oracle, names=("x",))


def test_a_small_term_too_much_is_no_float32() -> None:
    report = ac.check_vjp(square_forward, lambda dout, x: dout * (2 * x + 3e-6), [X], oracle=oracle)
    (found,) = [finding for finding in report.findings if (finding.check, finding.subject) == ("autograd", "dx")]
    assert found.status == "failed"
    assert found.message.startswith("6 of 6 entries differ")


def test_float32_on_the_way_is_a_convention() -> None:
    report = ac.check_vjp(square_forward, lambda dout, x: (dout.float() * 2 * x.float()).double(), [X], oracle=oracle)
    assert {finding.status for finding in report.findings if finding.subject == "dx"} == {"passed"}
    assert [finding.check for finding in report.findings if finding.status == "failed"] == ["keeps float64", "keeps float32"]


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_forward(x: Tensor, params: Any) -> Any:
    caches = []
    for w, b in params:
        y = (x @ w + b).tanh()
        caches.append((x, w, y))
        x = y
    return x, caches


def untaped_forward(x: Tensor, params: Any) -> Any:
    with torch.no_grad():
        return network_forward(x, params)


def network_backward(dout: Tensor, caches: Any) -> Any:
    grads = []
    for x, w, y in reversed(caches):
        dz = dout * (1 - y * y)
        grads.append((x.T @ dz, dz.sum(0)))
        dout = dz @ w.T
    return dout, grads[::-1]


def spoilt_backward(dout: Tensor, caches: Any) -> Any:
    dx, grads = network_backward(dout, caches)
    grads[1][0][2, 1] *= 1.01
    return dx, grads


PARAMS = [(normal(1, 4, 5), normal(2, 5)), (normal(3, 5, 3), normal(4, 3)), (normal(5, 3, 2), normal(6, 2))]


class Settings(NamedTuple):
    """Hyperparameters with names."""

    scale: float


def test_a_named_tuple_among_the_hyperparameters_keeps_its_names() -> None:
    def forward(x: Tensor, *, settings: Settings) -> Any:
        return settings.scale * x, settings

    def backward(dout: Tensor, settings: Settings) -> Tensor:
        return settings.scale * dout

    assert ac.check_vjp(forward, backward, [X], hyper={"settings": Settings(2.0)})


def findings_of(report: ac.Report, check: str) -> list[tuple[str, str, str]]:
    return [(f.subject, str(f.status), f.message) for f in report.findings if f.check == check]


def test_a_gradient_that_shares_memory_is_called_by_its_primal() -> None:
    def forward(x: Tensor, w: Tensor) -> Any:
        return x + w * w, w

    def backward(dout: Tensor, w: Tensor) -> Tensor:
        w.mul_(2 * dout)
        return w

    report = ac.check_vjp(forward, backward, [X, X + 1], wrt=["w"])
    says = "dw shares memory with w: changing one later would change the other; return a copy"
    assert findings_of(report, "aliasing") == [("backward", "failed", says)]
    assert findings_of(report, "unmodified")[0][:2] == ("backward", "failed")


def test_a_forward_without_a_cache_is_told_so() -> None:
    report = ac.check_vjp(lambda x: x * x, lambda dout, x: 2 * dout * x, [X], names=("x",))
    ((subject, status, message),) = [row for row in findings_of(report, "runs") if row[1] == "failed"]
    assert (subject, status) == ("out", "failed")
    assert message == "forward gave no value: forward must return (out, cache); it returned one Tensor"


def test_a_crash_is_shown_with_its_line() -> None:
    def backward(dout: Tensor, x: Tensor) -> Tensor:
        return dout / 0 + torch.ones(7)

    report = ac.check_vjp(square_forward, backward, [X])
    ((subject, status, message),) = findings_of(report, "runs")
    assert (subject, status) == ("dx", "failed")
    assert message.startswith("backward raised RuntimeError: The size of tensor a (3) must match")
    assert re.search(r"\(.*test_check_vjp\.py:\d+\)$", message)


def test_random_numbers_and_running_statistics_start_alike_and_are_put_back() -> None:
    layer = torch.nn.BatchNorm1d(3).double()

    def forward(x: Tensor) -> Any:
        with torch.no_grad():
            layer(x)
        mask = torch.rand(x.shape) < 0.5
        scale = 1 + layer.get_buffer("running_var")
        return x * mask * scale, (mask, scale)

    def backward(dout: Tensor, cache: Any) -> Tensor:
        mask, scale = cache
        return dout * mask * scale

    torch.default_generator.manual_seed(5)
    expected = torch.rand(3, generator=torch.Generator().manual_seed(5))
    report = ac.check_vjp(forward, backward, [X], oracle=None)
    assert [f.check for f in report.findings if f.status == "failed" and f.kind == "convention"] == []
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(layer.get_buffer("running_var"), torch.ones(3, dtype=torch.float64))


def test_the_parameters_of_a_network_are_checked_one_by_one() -> None:
    assert ac.check_vjp(network_forward, network_backward, (normal(0, 6, 4), PARAMS))


@pytest.mark.parametrize("forward", [network_forward, untaped_forward])
def test_a_wrong_entry_inside_a_nest_is_located(forward: Any) -> None:
    report = ac.check_vjp(forward, spoilt_backward, (normal(0, 6, 4), PARAMS))
    (found,) = [finding for finding in report.findings if finding.status == "failed"]
    assert found.subject == "dparams"
    assert found.mismatch is not None
    assert (found.mismatch.wrong, found.mismatch.total, found.mismatch.index) == (1, 15, (2, 1))
    assert "dparams[1][0]: 1 of 15 entries differ, worst at [2, 1]" in found.message
    assert found.diagnosis is not None
    assert found.diagnosis.says.startswith("dparams[1][0] is wrong in 1 of 15 entries, at [2, 1], and it is none")


def test_a_cause_inside_a_nest_is_named() -> None:
    def averaged(dout: Tensor, caches: Any) -> Any:
        dx, grads = network_backward(dout, caches)
        return dx, [(dw, db / 6) for dw, db in grads]

    report = ac.check_vjp(network_forward, averaged, (normal(0, 6, 4), PARAMS))
    (found,) = [finding for finding in report.findings if finding.status == "failed"]
    assert found.diagnosis is not None
    assert found.diagnosis.cause == "extra_batch_mean"
    assert "Every entry of dparams[0][1] is exactly 1/6 of the right value" in found.diagnosis.says


def test_primals_without_names_are_numbered() -> None:
    report = ac.check_vjp(lambda *xs: (xs[0] * xs[1], xs), lambda dout, xs: (dout * xs[1], dout * xs[0]), [X, X + 1])
    assert {f.subject for f in report.findings if f.kind == "gradient"} == {"dinput0", "dinput1"}
    assert report


def test_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"names has 1 names for 2 primals: x\."):
        ac.check_vjp(square_forward, square_forward, [X, X], names=["x"])
    with pytest.raises(ValueError, match=r"wrt must name differentiable primals out of x; got y\."):
        ac.check_vjp(square_forward, square_forward, [X], wrt=["y"])
