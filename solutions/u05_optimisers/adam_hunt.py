"""The Adam hunt
=============

This network is trained with Adam, batch by batch. The loss falls, the accuracy rises. Yet next to torch's Adam, from the same parameters and with
the same batches, it usually ends worse: its loss does not settle but dances, as if it had never slowed down.

One mistake was planted. The layers and `adam_step` are those of your earlier lessons, and right; this is about how they are used. Find it and
fix it: fixed, the parameters equal torch's after every epoch.

Shapes: x (N, D), y (N, 1), zeros and ones; params [w, b, w, b, …], a flat list. Batches are `batch` rows in order, the last one may be shorter.
"""

import torch

from solutions.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from solutions.u02_network.mlp import mlp_backward, mlp_forward
from solutions.u05_optimisers.adam import adam_step


def loss_and_gradients(x, y, params):
    """x (N, D), y (N, 1), params [w, b, …] → loss (), grads [dw, db, …]."""
    layers = list(zip(params[::2], params[1::2], strict=True))
    z, cache = mlp_forward(x, layers)
    loss, loss_cache = bce_with_logits_forward(z, y)
    dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    _, dlayers = mlp_backward(dz, cache)
    return loss, [gradient for layer in dlayers for gradient in layer]


def epoch(x, y, params, states, *, lr, batch):
    """One pass over all batches → params, states, mean loss."""
    ### BEGIN SOLUTION
    total = 0.0
    for rows in torch.arange(len(x)).split(batch):
        loss, grads = loss_and_gradients(x[rows], y[rows], params)
        moved = [adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, states, strict=True)]
        params = [param for param, _ in moved]
        states = [state for _, state in moved]
        total += float(loss) * len(rows) / len(x)
    return params, states, total
    ### END SOLUTION
    ### BEGIN STUB
    # total = 0.0
    # for rows in torch.arange(len(x)).split(batch):
    #     loss, grads = loss_and_gradients(x[rows], y[rows], params)
    #     moved = [adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, states, strict=True)]
    #     params = [param for param, _ in moved]
    #     total += float(loss) * len(rows) / len(x)
    # return params, states, total
    ### END STUB


def fit(x, y, params, *, lr, epochs, batch):
    """x (N, D), y (N, 1), params [w, b, …] → params, history [mean loss, …] of length epochs."""
    states = [None] * len(params)
    history = []
    for _ in range(epochs):
        params, states, loss = epoch(x, y, params, states, lr=lr, batch=batch)
        history.append(loss)
    return params, history


### BEGIN SPEC
from autograd_check.course.spec import (
    Benchmark,
    Claim,
    Lesson,
    Properties,
    Property,
    Unanswered,
    mistake,
    variant,
)

SHAPES = ((4, 10), (10,), (10, 1), (1,))
SETTINGS = ({"lr": 0.02, "epochs": 3, "batch": 8}, {"lr": 0.1, "epochs": 4, "batch": 23})


def _data(seed, rows=23):
    """Rows x (rows, 4), of class 1 where their first two entries have one sign: no line separates the classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=generator, dtype=torch.float64)
    return x, (x[:, :1] * x[:, 1:2] > 0).to(torch.float64)


def _params(seed):
    generator = torch.Generator().manual_seed(seed + 1000)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) * 0.6 for shape in SHAPES]


def _loss(x, y, params):
    w1, b1, w2, b2 = params
    return torch.nn.functional.binary_cross_entropy_with_logits(torch.relu(x @ w1 + b1) @ w2 + b2, y)


def _train(x, y, params, *, lr, epochs, batch, forgets="never"):
    """Torch's Adam: final parameters and the mean loss of every epoch. `forgets`: when its state is thrown away."""
    params = [p.clone().requires_grad_() for p in params]
    optimiser = torch.optim.Adam(params, lr=lr)
    history = []
    for _ in range(epochs):
        total = 0.0
        if forgets == "every epoch":
            optimiser = torch.optim.Adam(params, lr=lr)
        for rows in torch.arange(len(x)).split(batch):
            if forgets == "every step":
                optimiser = torch.optim.Adam(params, lr=lr)
            with torch.enable_grad():
                loss = _loss(x[rows], y[rows], params)
                grads = torch.autograd.grad(loss, params)
            for param, grad in zip(params, grads, strict=True):
                param.grad = grad
            optimiser.step()
            total += loss.item() * len(rows) / len(x)
        history.append(total)
    return [p.detach() for p in params], history


def _fitted(candidate, x, y, params, setting):
    outcome = candidate.call("fit", (x, y, params), setting)
    if not outcome.ok:
        raise Unanswered(outcome.failure, "fit")
    value = outcome.value
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return None, []
    new, history = value
    right = isinstance(new, (tuple, list)) and [getattr(p, "shape", None) for p in new] == [
        p.shape for p in params
    ]
    return (list(new) if right else None), history


def _equal(params, others):
    return all(
        float((a - b).abs().max()) <= 1e-9 * (1 + float(b.abs().max()))
        for a, b in zip(params, others, strict=True)
    )


FORGETS = {
    "every step": "Every step is like Adam's first: what it learnt about the gradients is thrown away after each batch.",
    "every epoch": "Within an epoch Adam remembers, but every epoch begins as if nothing had been before.",
}


def one_step(candidate, seed):
    """One epoch of one batch is one step of torch's Adam."""
    x, y = _data(seed)
    params, setting = _params(seed), {"lr": 0.02, "epochs": 1, "batch": 64}
    new, _ = _fitted(candidate, x, y, params, setting)
    if new is None:
        return Claim(
            f"fit must return (params, history), with {len(SHAPES)} parameters like those it was given.",
            "wrong_shape",
        )
    if not _equal(new, _train(x, y, params, **setting)[0]):
        return Claim(
            "Already the first step differs from torch's Adam; it was right as handed out.", "forward_wrong"
        )
    return Claim("the first step is Adam's")


def follows_torch(candidate, seed):
    """Over several epochs, with batches of several sizes, the parameters are those of torch's Adam."""
    x, y = _data(seed + 1)
    params = _params(seed + 1)
    for setting in SETTINGS:
        new, _ = _fitted(candidate, x, y, params, setting)
        if new is None:
            return Claim(
                f"fit must return (params, history), with {len(SHAPES)} parameters like those it was given.",
                "wrong_shape",
            )
        if _equal(new, _train(x, y, params, **setting)[0]):
            continue
        for when, says in FORGETS.items():
            if _equal(new, _train(x, y, params, **setting, forgets=when)[0]):
                return Claim(says, "stale_state", evidence={"forgets": when})
        return Claim(
            "After some epochs the parameters are neither torch's nor those of the planted mistake.",
            "unknown",
        )
    return Claim("the parameters are those of torch's Adam, epoch after epoch")


def history_is_the_loss(candidate, seed):
    """history holds the mean loss of every epoch, each batch's measured before its step."""
    x, y = _data(seed + 2)
    params, setting = _params(seed + 2), {"lr": 0.05, "epochs": 3, "batch": 10}
    _, history = _fitted(candidate, x, y, params, setting)
    right = _train(x, y, params, **setting)[1]
    numbers = (
        [float(loss) for loss in history if isinstance(loss, (float, torch.Tensor))]
        if isinstance(history, (list, tuple))
        else []
    )
    if len(numbers) != len(right):
        return Claim(f"history must hold one loss for each of {len(right)} epochs.", "wrong_shape")
    if any(abs(a - b) > 1e-9 * (1 + b) for a, b in zip(numbers, right, strict=True)):
        return Claim(
            "history is not the mean loss of the epochs, weighted by the size of the batches.",
            "forward_wrong",
        )
    return Claim("history is the mean loss of the epochs")


def _fit_with(one_epoch):
    """The lesson's fit around another epoch."""

    def fit(x, y, params, *, lr, epochs, batch):
        states, history = [None] * len(params), []
        for _ in range(epochs):
            params, states, loss = one_epoch(x, y, params, states, lr=lr, batch=batch)
            history.append(loss)
        return params, history

    return fit


def _half_fixed(x, y, params, states, *, lr, batch):
    total = 0.0
    inner = states
    for rows in torch.arange(len(x)).split(batch):
        loss, grads = loss_and_gradients(x[rows], y[rows], params)
        moved = [adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, inner, strict=True)]
        params, inner = [param for param, _ in moved], [state for _, state in moved]
        total += float(loss) * len(rows) / len(x)
    return params, states, total


def _zipped(x, y, params, states, *, lr, batch):
    losses = []
    for start in range(0, len(x), batch):
        xs, ys = x[start : start + batch], y[start : start + batch]
        loss, grads = loss_and_gradients(xs, ys, params)
        params, states = zip(
            *(adam_step(p, g, s, lr=lr) for p, g, s in zip(params, grads, states, strict=True)), strict=True
        )
        losses.append(float(loss) * len(xs))
    return list(params), list(states), sum(losses) / len(x)


def _written_in_place(x, y, params, states, *, lr, batch):
    params, total = list(params), 0.0
    for rows in torch.arange(len(x)).split(batch):
        loss, grads = loss_and_gradients(x[rows], y[rows], params)
        for k, grad in enumerate(grads):
            params[k], states[k] = adam_step(params[k], grad, states[k], lr=lr)
        total += float(loss) * len(rows)
    return params, states, total / len(x)


def _bench(hunt):
    x, y = _data(0, 120)
    params, hyper = _params(0), {"lr": 0.02, "epochs": 2, "batch": 30}
    return lambda: hunt["fit"](x, y, params, **hyper), lambda: _train(x, y, params, **hyper)


LESSON = Lesson(
    name="adam_hunt",
    title="The Adam hunt",
    source="Kingma, Ba, Adam: a method for stochastic optimization (2015), algorithm 1",
    requires=("adam", "training"),
    forbids=("optim",),
    points=10,
    minutes=20,
    given=True,
    tasks=(
        Properties(
            functions=("loss_and_gradients", "epoch", "fit"),
            properties=(
                Property("first step", one_step, subject="step"),
                Property("follows torch", follows_torch, subject="params"),
                Property("history", history_is_the_loss, subject="history"),
            ),
        ),
    ),
    benchmarks=(Benchmark("two epochs", "120 rows in batches of 30", _bench),),
    target=None,
    mistakes=(
        mistake("as handed out", "stale_state", "        states = [state for _, state in moved]\n", ""),
        mistake("kept within an epoch only", "stale_state", epoch=_half_fixed, fit=_fit_with(_half_fixed)),
        mistake(
            "one state for all parameters",
            "crashed",
            "[state for _, state in moved]",
            "[moved[0][1]] * len(moved)",
        ),
        mistake(
            "only the last batch's loss",
            "forward_wrong",
            "total += float(loss) * len(rows) / len(x)",
            "total = float(loss)",
        ),
        mistake("batches counted alike", "forward_wrong", "* len(rows) / len(x)", "/ -(-len(x) // batch)"),
        mistake("lr grown to make up for it", "forward_wrong", "lr=lr) for", "lr=2 * lr) for"),
    ),
    variants=(
        variant("zip, slices", epoch=_zipped, fit=_fit_with(_zipped)),
        variant("lists written in place", epoch=_written_in_place, fit=_fit_with(_written_in_place)),
    ),
    hints=(
        "How long is a step of Adam, in each entry, if the state is None? How long should it become as the gradients grow small and noisy?",
        "Follow one parameter's state through two batches. Where does it come from, and where does it go?",
        "Count the steps: print the t inside the state at the end of every epoch.",
    ),
)
### END SPEC
