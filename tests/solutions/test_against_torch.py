"""Every lesson of the course beside torch, without the grader: definitions of this file's own under autograd, and torch.optim."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autograd_check.course.spec import Layer, Lesson, Probe
from tests import support

SEEDS = range(3)
Functions = Mapping[str, Callable[..., Any]]


def functions_of(name: str) -> dict[str, Any]:
    """Everything that a lesson's solution defines."""
    return vars(support.course().run_file(support.outline().lesson(name).solution))


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


def tensors(value: Any) -> list[Tensor]:
    """All tensors of a nested value, in order."""
    return [value] if isinstance(value, Tensor) else [t for part in value for t in tensors(part)]


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same nesting with every tensor changed."""
    return change(value) if isinstance(value, Tensor) else type(value)(mapped(part, change) for part in value)


def leaf(value: Tensor) -> Tensor:
    return value.detach().clone().requires_grad_()


def assert_equal(got: Any, right: Any, what: str, tolerance: float = 1e-11) -> None:
    """Nested values of the same shapes, equal up to `tolerance` of the largest entry of all."""
    ours, theirs = ([value.detach().double() for value in tensors(values)] for values in (got, right))
    assert [value.shape for value in ours] == [value.shape for value in theirs], what
    for one, other in zip(ours, theirs, strict=True):
        error = float((one - other).abs().max())
        assert error <= tolerance * max(float(value.abs().max()) for value in theirs), f"{what}: an entry is off by {error:.2g}"


# layers and losses: what each computes, by another way than the oracle of its lesson where there is one


def normalised(x: Tensor, axes: list[int], eps: float) -> Tensor:
    result: Tensor = (x - x.mean(axes, keepdim=True)) / (x.var(axes, unbiased=False, keepdim=True) + eps).sqrt()
    return result


def by_channel(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    return gamma[:, None, None] * x + beta[:, None, None]


def batchnorm(x: Tensor, gamma: Tensor, beta: Tensor, *, eps: float = 1e-5) -> Tensor:
    return gamma * normalised(x, [0], eps) + beta


def mlp(x: Tensor, params: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    for w, b in params[:-1]:
        x = F.threshold(torch.addmm(b, x, w), 0.0, 0.0)
    return torch.addmm(params[-1][1], x, params[-1][0])


def cnn(x: Tensor, params: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    for w, b in params[:2]:
        x = F.max_pool2d(F.conv2d(x, w, b, padding="same").clamp(min=0), 2)
    return mlp(x.flatten(1), params[2:])


def hinge(scores: Tensor, y: Tensor) -> Tensor:
    margins: Tensor = F.relu(scores - scores.gather(1, y[:, None]) + 1).sum(1) - 1  # the right class beats itself by 0
    return margins.mean()


def avgpool2d(x: Tensor, *, kernel: Any, stride: Any) -> Tensor:
    (kh, kw), (sh, sw) = ((n, n) if isinstance(n, int) else n for n in (kernel, stride))
    result: Tensor = x.unfold(2, kh, sh).unfold(3, kw, sw).mean((-1, -2))
    return result


def upsample(x: Tensor, *, scale: Any) -> Tensor:
    high, wide = (scale, scale) if isinstance(scale, int) else scale
    return x.repeat_interleave(high, 2).repeat_interleave(wide, 3)


def squared_error(x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return (w * x + b - y).square().mean()


def bce(p: Tensor, y: Tensor) -> Tensor:
    return -(torch.xlogy(y, p) + torch.special.xlog1py(1 - y, -p)).mean()


def log_loss(z: Tensor, y: Tensor) -> Tensor:
    return (torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean()


PAIRS: dict[str, Callable[..., Tensor]] = {
    "square": lambda x: x * x,
    "cubic": lambda x: x * (x * x + 4),
    "sine_chain": lambda x: (x * x + 1).sin(),
    "linear_regression": squared_error,
    "logsumexp": lambda x: torch.logcumsumexp(x, -1)[..., -1],
    "logistic_neuron": lambda x, y, w, b: log_loss(w * x + b, y),
    "linear": lambda x, w, b: torch.addmm(b, x, w),
    "relu": lambda x: F.threshold(x, 0.0, 0.0),
    "sigmoid": lambda x: (1 + torch.tanh(x / 2)) / 2,
    "bce": lambda p, y: bce(p.clamp(1e-7, 1 - 1e-7), y),
    "bce_with_logits": log_loss,
    "mlp": mlp,
    "leaky_relu": lambda x, *, slope=0.01: torch.where(x > 0, x, slope * x),
    "elu": lambda x, *, alpha=1.0: torch.where(x > 0, x, alpha * torch.expm1(x.clamp(max=0))),
    "silu": lambda x: x / (1 + torch.exp(-x.clamp(min=-700))),
    "softmax": lambda x: F.log_softmax(x, -1).exp(),
    "log_softmax": lambda x: x - torch.logsumexp(x, -1, keepdim=True),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "tanh": lambda x: 2 * torch.sigmoid(2 * x) - 1,
    "gelu": lambda x: x * torch.special.ndtr(x),
    "gelu_tanh": lambda x: x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "cross_entropy": lambda scores, y: -F.log_softmax(scores, 1).gather(1, y[:, None]).mean(),
    "hinge": hinge,
    "kl_divergence": lambda logp, q: -(torch.special.entr(q) + q * logp).sum() / len(q),
    "mse": lambda p, y: (p - y).square().mean(),
    "mae": lambda p, y: (p - y).abs().mean(),
    "huber": lambda p, y, *, delta=1.0: delta * F.smooth_l1_loss(p, y, beta=delta),
    "l2_penalty": lambda w, *, weight_decay=1e-2: weight_decay * (w * w).sum() / 2,
    "batchnorm": batchnorm,
    "batchnorm2d": lambda x, gamma, beta, *, eps=1e-5: by_channel(normalised(x, [0, 2, 3], eps), gamma, beta),
    "batchnorm_hunt": lambda x, w, gamma, beta, *, eps=1e-5: batchnorm(x @ w, gamma, beta, eps=eps).relu(),
    "layernorm": lambda x, gamma, beta, *, eps=1e-5: gamma * normalised(x, [-1], eps) + beta,
    "groupnorm": lambda x, gamma, beta, *, groups, eps=1e-5: by_channel(
        normalised(x.unflatten(1, (groups, -1)), [2, 3, 4], eps).flatten(1, 2), gamma, beta
    ),
    "instancenorm2d": lambda x, gamma, beta, *, eps=1e-5: by_channel(normalised(x, [2, 3], eps), gamma, beta),
    "rmsnorm": lambda x, gamma, *, eps=1e-5: gamma * x / (x.square().mean(-1, keepdim=True) + eps).sqrt(),
    "conv1d": lambda x, w, b, *, stride=1, padding=0: F.conv2d(x[..., None], w[..., None], b, (stride, 1), (padding, 0)).squeeze(
        -1
    ),
    "conv2d": lambda x, w, b, *, stride=1, padding=0: F.conv2d(x, w, b, stride, padding),
    "conv2d_fast": lambda x, w, b, *, stride=1, padding=0: F.conv2d(x, w, b, stride, padding),
    "conv_transpose2d": lambda x, w, b, *, stride=1, padding=0: F.conv_transpose2d(x, w, b, stride, padding),
    "depthwise_conv2d": lambda x, w, b, *, stride=1, padding=0: F.conv2d(x, w, b, stride, padding, groups=len(w)),
    "im2col": lambda x, *, kernel, stride=1, padding=0: F.unfold(x, kernel, 1, padding, stride),
    "maxpool2d": lambda x, *, kernel, stride: F.max_pool2d(x, kernel, stride),
    "avgpool2d": avgpool2d,
    "global_avgpool2d": lambda x: x.flatten(2).mean(2),
    "upsample_nearest2d": upsample,
    "residual_block": lambda x, w1, b1, w2, b2: x + F.conv2d(F.conv2d(x, w1, b1, padding="same").relu(), w2, b2, padding="same"),
    "cnn": cnn,
}

READINGS: dict[tuple[str, str], Callable[..., Tensor]] = {
    ("sine_chain", "the other reading"): lambda x: 2 * x * (x * x + 1).cos(),
    ("global_avgpool2d", "with the two axes kept"): lambda x: x.flatten(2).mean(2)[..., None, None],
}
"""Variants of another definition that the lesson takes as well."""


def autograd(function: Callable[..., Tensor], task: Layer, probe: Probe, primals: list[Any], dout: Tensor) -> Any:
    """The function's value in float64, and its gradients with respect to what the task differentiates."""
    given = {
        n: mapped(v, lambda t: t.double() if t.is_floating_point() else t) for n, v in zip(probe.primals, primals, strict=True)
    }
    given |= {name: mapped(given[name], leaf) for name in task.wrt}
    out = function(*given.values(), **probe.hyper)
    wanted = tensors([given[name] for name in task.wrt])
    return out, list(torch.autograd.grad(out, wanted, dout.double()))


def draw(probe: Probe, seed: int, dtype: torch.dtype) -> list[Any]:
    generator = Generator().manual_seed(seed)
    drawn = [sample(generator) for sample in probe.primals.values()]
    converted: list[Any] = mapped(drawn, lambda t: t.to(dtype) if t.is_floating_point() else t)
    return converted


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_out_and_gradients_are_those_of_torch(name: str, dtype: torch.dtype) -> None:
    """The reference and every variant, at the points of the lesson."""
    functions = functions_of(name)
    lesson: Lesson = support.lesson(name).spec
    task = next(task for task in lesson.tasks if isinstance(task, Layer))
    tolerance = 1e-11 if dtype is torch.float64 else 1e-4
    for style, own in [("reference", {}), *((variant.name, variant.functions) for variant in lesson.variants)]:
        forward, backward = ({**functions, **own}[f] for f in task.functions)
        for probe in task.probes:
            if probe.convention and dtype is torch.float32:
                continue  # float32 cannot hold 1 - 1e-7: at that edge it cannot agree with anything
            for seed in SEEDS:
                where = f"{style}, {probe.name}, seed {seed}"
                primals = draw(probe, seed, dtype)
                before = mapped(primals, torch.clone)
                out, cache = forward(*primals, **probe.hyper)
                dout = randn(*out.shape, seed=100 + seed).to(dtype)
                grads = tensors(backward(dout.clone(), cache))
                right, right_grads = autograd(READINGS.get((name, style), PAIRS[name]), task, probe, before, dout)
                assert {value.dtype for value in (out, *grads)} == {dtype}, where
                # at the edges the input's own rounding shows: 1e6 + x, or 1 - p where p is 1e-7
                allowed = 1e-9 if probe.convention else tolerance
                assert_equal(out, right, where, allowed)
                assert_equal(grads, right_grads, where, allowed)
                assert all(torch.equal(a, b) for a, b in zip(tensors(primals), tensors(before), strict=True)), where


@pytest.mark.parametrize("name", PAIRS)
def test_shapes_that_would_broadcast_are_refused_by_name(name: str) -> None:
    functions = functions_of(name)
    pairs = [task for task in support.lesson(name).spec.tasks if isinstance(task, Layer)]
    for task in pairs:
        for probe in task.refuses:
            primals = dict(zip(probe.primals, draw(probe, 0, torch.float64), strict=True))
            for mentioned in primals if probe.mentions is None else probe.mentions:
                with pytest.raises(ValueError, match=re.escape(str(tuple(primals[mentioned].shape)))):
                    functions[task.forward](*primals.values(), **probe.hyper)


# optimisers


def stepped(step: Callable[..., Any], grads: Sequence[Tensor], start: Tensor, **hyper: Any) -> Tensor:
    param, state = start, None
    for grad in grads:
        param, state = step(param, grad, state, **hyper)
    return param


def torchs(make: Callable[..., torch.optim.Optimizer], grads: Sequence[Tensor], start: Tensor, **hyper: Any) -> Tensor:
    param = start.clone()
    optimiser = make([param], **hyper)
    for grad in grads:
        param.grad = grad.clone()
        optimiser.step()
    return param


Make = Callable[..., torch.optim.Optimizer]
OPTIMISERS: dict[str, tuple[Make, tuple[dict[str, Any], ...]]] = {
    "momentum": (lambda p, momentum=0.9, **k: torch.optim.SGD(p, momentum=momentum, **k), ({}, {"momentum": 0.5})),
    "nesterov": (lambda p, momentum=0.9, **k: torch.optim.SGD(p, momentum=momentum, nesterov=True, **k), ({}, {"momentum": 0.5})),
    "rmsprop": (torch.optim.RMSprop, ({}, {"alpha": 0.5, "eps": 0.1})),
    "adam": (torch.optim.Adam, ({}, {"betas": (0.5, 0.8), "eps": 0.1})),
    "adamw": (torch.optim.AdamW, ({}, {"betas": (0.5, 0.8), "eps": 0.1, "weight_decay": 0.3})),
}


@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_hundred_steps_are_those_of_torch_optim(name: str) -> None:
    functions = functions_of(name)
    make, hypers = OPTIMISERS[name]
    grads = [randn(3, 2, seed=seed) * 10.0 ** (seed % 5 - 2) for seed in range(1, 101)]
    for style, own in [("reference", {}), *((variant.name, variant.functions) for variant in support.lesson(name).spec.variants)]:
        step = {**functions, **own}[f"{name}_step"]
        for hyper in hypers:
            got, right = (run(f, grads, randn(3, 2), lr=0.03, **hyper) for run, f in ((stepped, step), (torchs, make)))
            assert_equal(got, right, f"{style}, {hyper}")


# everything else: one check a lesson


def binary(seed: int = 0) -> tuple[Tensor, Tensor]:
    """x (23, 4) and y (23, 1), zeros and ones."""
    x = randn(23, 4, seed=seed)
    return x, (x[:, :1] + randn(23, 1, seed=seed + 1) > 0).double()


def descent(
    loss_of: Callable[[Any], Tensor], params: Any, lr: float, epochs: int, optimiser: Make = torch.optim.SGD
) -> tuple[Any, list[float]]:
    """Parameters after `epochs` steps by torch.optim, and the loss before each."""
    params = mapped(params, leaf)
    steps = optimiser(tensors(params), lr=lr)
    losses = []
    for _ in range(epochs):
        steps.zero_grad()
        loss = loss_of(params)
        loss.backward()
        steps.step()
        losses.append(float(loss.detach()))
    return params, losses


def gradients(loss_of: Callable[[Any], Tensor], params: Any) -> list[Any]:
    """A loss and its gradients by autograd."""
    params = mapped(params, leaf)
    loss = loss_of(params)
    return [loss, *torch.autograd.grad(loss, tensors(params))]


def finite_difference(f: Functions) -> None:
    x = randn(2, 3)
    for function in (lambda x: (x * x).sum(), lambda x: x.sin().prod(), lambda x: (x[0] * x[1].exp()).sum()):
        got = f["numerical_gradient"](function, x, h=1e-5)
        torch.testing.assert_close(got, torch.func.grad(function)(x), rtol=1e-8, atol=1e-8)


def linear_regression_fit(f: Functions) -> None:
    x, y = randn(9), randn(9, seed=1)
    zero = torch.zeros((), dtype=torch.float64)
    right, _ = descent(lambda p: squared_error(x, y, *p), [zero, zero], 0.1, 30)
    assert_equal(list(f["fit"](x, y, lr=0.1, epochs=30)), right, "fit")


def initialisation(f: Functions) -> None:
    """As many weights as it takes to tell the two from anything else, beside torch.nn.init's own."""
    for own, torchs in (("he_normal", torch.nn.init.kaiming_normal_), ("xavier_uniform", torch.nn.init.xavier_uniform_)):
        got = f[own](300, 200, generator=Generator().manual_seed(0))
        right = torchs(torch.empty(200, 300, dtype=torch.float64), generator=Generator().manual_seed(1))
        assert got.shape == (300, 200)
        levels = torch.tensor([0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999], dtype=torch.float64)
        quantiles = [values.flatten().quantile(levels) for values in (got, right)]
        # the quantiles of 60,000 draws scatter by 1 % of the standard deviation, those far out by 10 %
        scatter = torch.tensor([0.25, 0.04, 0.04, 0.04, 0.04, 0.04, 0.25]) * right.std()
        assert bool(((quantiles[0] - quantiles[1]).abs() < scatter).all()), own


def sgd(f: Functions) -> None:
    params, grads = [randn(3, 2), randn(2, seed=1)], [randn(3, 2, seed=2), randn(2, seed=3)]
    right = [torchs(torch.optim.SGD, [grad], param, lr=0.3) for param, grad in zip(params, grads, strict=True)]
    assert_equal(f["sgd_step"](params, grads, lr=0.3), right, "one step")


def training(f: Functions) -> None:
    x, y = binary()

    def run(epochs: int) -> Any:
        return f["train"](x, y, dims=(4, 5, 1), lr=0.5, epochs=epochs, generator=Generator().manual_seed(0))

    right, losses = descent(lambda params: log_loss(mlp(x, params), y), run(0)[0], 0.5, 20)
    assert_equal(run(20)[0], right, "parameters")
    assert run(20)[1] == pytest.approx(losses, rel=1e-11)


def broadcast_hunt(f: Functions) -> None:
    x, column = binary()
    y = column[:, 0]

    def loss_of(params: Any) -> Tensor:
        return log_loss(mlp(x, params)[:, 0], y)

    def run(epochs: int) -> Any:
        return f["fit"](x, y, dims=(4, 5, 1), lr=0.5, epochs=epochs, generator=Generator().manual_seed(0))

    start, _ = run(0)
    assert_equal(list(f["loss_and_gradients"](x, y, start)), gradients(loss_of, start), "gradients")
    right, losses = descent(loss_of, start, 0.5, 20)
    params, history = run(20)
    assert_equal(params, right, "parameters")
    assert [loss for loss, _ in history] == pytest.approx(losses, rel=1e-11)
    share = float(((mlp(x, params)[:, 0] > 0) == (y > 0.5)).double().mean())
    assert float(f["accuracy"](x, y, params)) == history[-1][1] == share


def classifier(f: Functions, **micro: int) -> None:
    x, y = randn(23, 4), torch.arange(23) % 3

    def loss_of(params: Any) -> Tensor:
        return F.cross_entropy(x @ params[0] + params[1], y)

    start = [randn(4, 3, seed=5), randn(3, seed=6)]
    assert_equal(list(f["loss_and_gradients"](x, y, *start, **micro)), gradients(loss_of, start), "gradients")
    right, losses = descent(loss_of, [torch.zeros_like(value) for value in start], 0.5, 20)
    *params, history = f["fit"](x, y, classes=3, lr=0.5, epochs=20, **micro)
    assert_equal(params, right, "parameters")
    assert history == pytest.approx(losses, rel=1e-11)


def cross_entropy_hunt(f: Functions) -> None:
    for micro in (5, 23, 40):
        classifier(f, micro=micro)


def adam_hunt(f: Functions) -> None:
    x, y = binary()
    start = [randn(4, 5), randn(5, seed=1), randn(5, 1, seed=2), randn(1, seed=3)]

    def loss_of(params: Any, rows: slice = slice(None)) -> Tensor:
        return log_loss(mlp(x[rows], list(zip(params[::2], params[1::2], strict=True))), y[rows])

    loss, grads = f["loss_and_gradients"](x, y, start)
    assert_equal([loss, *grads], gradients(loss_of, start), "gradients")
    right = [leaf(value) for value in start]
    optimiser = torch.optim.Adam(right, lr=0.02)
    for _ in range(5):
        for first in range(0, 23, 10):
            optimiser.zero_grad()
            loss_of(right, slice(first, first + 10)).backward()
            optimiser.step()
    assert_equal(f["fit"](x, y, start, lr=0.02, epochs=5, batch=10)[0], right, "parameters")


def clip_grad_norm(f: Functions) -> None:
    for scale in (0.01, 100.0):
        grads = [scale * randn(3, 2), scale * randn(4, seed=1)]
        params = [leaf(torch.zeros_like(grad)) for grad in grads]
        for param, grad in zip(params, grads, strict=True):
            param.grad = grad.clone()
        torch.nn.utils.clip_grad_norm_(params, 1.5)  # divides by the norm + 1e-6
        assert_equal(f["clip_grad_norm"](grads, max_norm=1.5), [param.grad for param in params], f"{scale}", 1e-6)


def cosine_schedule(f: Functions) -> None:
    optimiser = torch.optim.SGD([leaf(randn(1))], lr=0.4)
    warm = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: step / 5)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 20)
    schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [warm, cosine], [5])
    for step in range(25):
        got = f["cosine_schedule"](step, warmup=5, total=25, base_lr=0.4)
        assert float(got) == pytest.approx(schedule.get_last_lr()[0], rel=1e-10, abs=1e-15), step
        optimiser.step()
        schedule.step()


def catch_cross_entropy(f: Functions) -> None:
    """Torch's own cross-entropy is right, a sum of it is not, nor is one for a dout of 1."""

    def forward(scores: Tensor, y: Tensor, reduction: str = "mean") -> tuple[Tensor, Any]:
        scores = leaf(scores)
        loss = F.cross_entropy(scores, y, reduction=reduction)
        return loss.detach(), (loss, scores)

    def backward(dout: Tensor, cache: Any) -> Tensor:
        loss, scores = cache
        (dscores,) = torch.autograd.grad(loss, [scores], dout, retain_graph=True)
        return dscores

    def catches(forward: Callable[..., Any], backward: Callable[..., Any]) -> bool:
        return not f["check_cross_entropy"](forward, backward, generator=Generator().manual_seed(0))

    assert not catches(forward, backward)
    assert catches(lambda scores, y: forward(scores, y, "sum"), backward)
    assert catches(forward, lambda dout, cache: backward(torch.ones_like(dout), cache))


def catch_adam(f: Functions) -> None:
    """Torch's own Adam is right, its variants are not."""

    def step(make: Make) -> Callable[..., Any]:
        def one(param: Tensor, grad: Tensor, state: Any, **hyper: Any) -> tuple[Tensor, Any]:
            moved = param.clone()
            optimiser = make([moved], **hyper)
            if state is not None:
                optimiser.load_state_dict(state)
            moved.grad = grad.clone()
            optimiser.step()
            return moved, optimiser.state_dict()

        return one

    def catches(make: Make) -> bool:
        return not f["check_adam"](step(make), generator=Generator().manual_seed(0))

    assert not catches(torch.optim.Adam)
    for wrong in (
        torch.optim.AdamW,
        torch.optim.NAdam,
        torch.optim.Adamax,
        lambda p, **k: torch.optim.Adam(p, amsgrad=True, **k),
    ):
        assert catches(wrong)


def batchnorm_hunt(f: Functions) -> None:
    x, y = binary()

    def loss_of(params: Any) -> Tensor:
        w, gamma, beta, v, c = params
        return log_loss(torch.addmm(c, batchnorm(x @ w, gamma, beta).relu(), v), y)

    def run(epochs: int) -> Any:
        return f["fit"](x, y, hidden=6, lr=0.2, epochs=epochs, generator=Generator().manual_seed(0))

    start, _ = run(0)
    loss, grads = f["loss_and_gradients"](x, y, start)
    assert_equal([loss, *grads], gradients(loss_of, start), "gradients")
    right, losses = descent(loss_of, start, 0.2, 10)
    params, history = run(10)
    assert_equal(params, right, "parameters")
    assert [loss for loss, _ in history] == pytest.approx(losses, rel=1e-11)


def batchnorm_running(f: Functions) -> None:
    """Three batches of training, then an evaluation: outputs, gradients, and the estimates by way of them."""
    gamma, beta = randn(3), randn(3, seed=1)
    layer = torch.nn.BatchNorm1d(3, eps=1e-3, momentum=0.3, dtype=torch.float64)
    layer.load_state_dict({**layer.state_dict(), "weight": gamma, "bias": beta})
    state = None
    for number, train in enumerate((True, True, True, False)):
        x, dout = 2 * randn(7, 3, seed=number) + 1, randn(7, 3, seed=number + 10)
        given = leaf(x)
        right = layer.train(train)(given)
        out, state, cache = f["batchnorm_running_forward"](x, gamma, beta, state, momentum=0.3, train=train, eps=1e-3)
        grads = f["batchnorm_running_backward"](dout, cache)
        wanted = torch.autograd.grad(right, [given, layer.weight, layer.bias], dout)
        assert_equal([out, *grads], [right, *wanted], f"call {number}")


def dropped(f: Functions, name: str, inside: Callable[..., Tensor], *primals: Tensor) -> None:
    """Given the mask that shows in the output, out and gradients are those of inside(…) · mask / (1 − p)."""
    for p, train in ((0.3, True), (0.0, True), (0.3, False)):
        generator = Generator().manual_seed(4)
        out, cache = f[f"{name}_forward"](*primals, p=p, train=train, generator=generator)
        given = [leaf(primal) for primal in primals]
        whole = inside(*given)
        if not train:
            assert_equal(out, whole, "evaluation")
        mask = (out != 0).double() / (1 - p if train else 1)
        share = float((out != 0).double().sum() / (whole != 0).double().sum())
        assert abs(share - (1 - p if train else 1)) < 0.05
        dout = randn(*out.shape, seed=9)
        grads = f[f"{name}_backward"](dout, cache)
        assert_equal([out, *tensors([grads])], [whole * mask, *torch.autograd.grad(whole * mask, given, dout)], f"p = {p}")


def dropout(f: Functions) -> None:
    dropped(f, "dropout", lambda x: x, randn(40, 60))


def dropout_hunt(f: Functions) -> None:
    dropped(f, "hidden", lambda x, w, b: torch.addmm(b, x, w).relu(), randn(60, 4), randn(4, 40, seed=1), randn(40, seed=2))
    x, y = binary()

    def run(epochs: int) -> Any:
        return f["fit"](x, y, hidden=6, p=0.0, lr=0.2, epochs=epochs, generator=Generator().manual_seed(0))

    right, losses = descent(lambda params: log_loss(mlp(x, params), y), run(0)[0], 0.2, 10)
    params, history = run(10)
    assert_equal(params, right, "parameters")
    assert [loss for loss, _ in history] == pytest.approx(losses, rel=1e-11)


OTHERS: dict[str, Callable[[Functions], None]] = {
    "finite_difference": finite_difference,
    "linear_regression": linear_regression_fit,
    "initialisation": initialisation,
    "sgd": sgd,
    "training": training,
    "broadcast_hunt": broadcast_hunt,
    "softmax_hunt": classifier,
    "cross_entropy_hunt": cross_entropy_hunt,
    "catch_cross_entropy": catch_cross_entropy,
    "adam_hunt": adam_hunt,
    "catch_adam": catch_adam,
    "clip_grad_norm": clip_grad_norm,
    "cosine_schedule": cosine_schedule,
    "batchnorm_hunt": batchnorm_hunt,
    "batchnorm_running": batchnorm_running,
    "dropout": dropout,
    "dropout_hunt": dropout_hunt,
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_lesson_does_what_torch_does(name: str) -> None:
    OTHERS[name](functions_of(name))


def test_every_lesson_is_compared_with_torch() -> None:
    assert {*PAIRS, *OPTIMISERS, *OTHERS} == set(support.names())
