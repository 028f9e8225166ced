"""The Adam hunt
=============

This network is trained with Adam, batch by batch. The loss falls, the accuracy rises. Yet next to torch's
Adam, from the same parameters and with the same batches, it usually ends worse: its loss does not settle but
dances, as if it had never slowed down.

One mistake was planted. The layers and `adam_step` are those of your earlier lessons, and right; this is
about how they are used. Find it and fix it: fixed, the parameters equal torch's after every epoch.

Shapes: x (N, D), y (N, 1), zeros and ones; params [w, b, w, b, …], a flat list. Batches are `batch` rows in
order, the last one may be shorter.
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
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Claim,
    Lesson,
    Properties,
    Property,
    answer,
    close,
    drop,
    edit,
    number,
    two,
    wrong,
)

SHAPES = ((4, 10), (10,), (10, 1), (1,))
SETTINGS = ({"lr": 0.02, "epochs": 3, "batch": 8}, {"lr": 0.1, "epochs": 4, "batch": 23})
FORGETS = {
    "every step": "Every step is like Adam's first: what it learnt about the gradients is thrown away after each batch.",
    "every epoch": "Within an epoch Adam remembers, but every epoch begins as if nothing had been before.",
}
MALFORMED = Claim(
    f"fit must return (params, history), with {len(SHAPES)} parameters like those it was given.",
    Cause.WRONG_SHAPE,
)


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
    return F.binary_cross_entropy_with_logits(torch.relu(x @ w1 + b1) @ w2 + b2, y)


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
    """What fit returned: parameters, or None where they have other shapes, and history."""
    new, history = two(answer(candidate, "fit", x, y, params, **setting))
    shapes = [getattr(p, "shape", None) for p in new] if isinstance(new, (tuple, list)) else []
    return (list(new) if shapes == [p.shape for p in params] else None), history


def _equal(params, others):
    return all(close(a, b, 1e-9) for a, b in zip(params, others, strict=True))


def one_step(candidate, seed):
    """One epoch of one batch is one step of torch's Adam."""
    x, y = _data(seed)
    params, setting = _params(seed), {"lr": 0.02, "epochs": 1, "batch": 64}
    new, _ = _fitted(candidate, x, y, params, setting)
    if new is None:
        return MALFORMED
    if not _equal(new, _train(x, y, params, **setting)[0]):
        says = "Already the first step differs from torch's Adam; it was right as handed out."
        return Claim(says, Cause.FORWARD_WRONG)
    return Claim("the first step is Adam's")


def follows_torch(candidate, seed):
    """Over several epochs, with batches of several sizes, the parameters are those of torch's Adam."""
    x, y = _data(seed + 1)
    params = _params(seed + 1)
    for setting in SETTINGS:
        new, _ = _fitted(candidate, x, y, params, setting)
        if new is None:
            return MALFORMED
        if _equal(new, _train(x, y, params, **setting)[0]):
            continue
        for when, says in FORGETS.items():
            if _equal(new, _train(x, y, params, **setting, forgets=when)[0]):
                return Claim(says, Cause.STALE_STATE, evidence={"forgets": when})
        says = "After some epochs the parameters are neither torch's nor those of the planted mistake."
        return Claim(says, Cause.UNKNOWN)
    return Claim("the parameters are those of torch's Adam, epoch after epoch")


def history_is_the_loss(candidate, seed):
    """history holds the mean loss of every epoch, each batch's measured before its step."""
    x, y = _data(seed + 2)
    params, setting = _params(seed + 2), {"lr": 0.05, "epochs": 3, "batch": 10}
    _, history = _fitted(candidate, x, y, params, setting)
    right = _train(x, y, params, **setting)[1]
    told = [number(each) for each in history] if isinstance(history, (tuple, list)) else []
    if len(told) != len(right) or None in told:
        return Claim(f"history must hold one loss for each of {len(right)} epochs.", Cause.WRONG_SHAPE)
    if not close(torch.stack(told), torch.tensor(right, dtype=torch.float64), 1e-9):
        says = "history is not the mean loss of the epochs, weighted by the size of the batches."
        return Claim(says, Cause.FORWARD_WRONG)
    return Claim("history is the mean loss of the epochs")


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
    mistakes=(
        drop("        states = [state for _, state in moved]\n", "as handed out", Cause.STALE_STATE),
        wrong("kept within an epoch only", Cause.STALE_STATE),
        edit(
            "[state for _, state in moved]",
            "[moved[0][1]] * len(moved)",
            "one state for all parameters",
            Cause.CRASHED,
        ),
        edit(
            "total += float(loss) * len(rows) / len(x)",
            "total = float(loss)",
            "only the last batch's loss",
            Cause.FORWARD_WRONG,
        ),
        edit("* len(rows) / len(x)", "/ -(-len(x) // batch)", "batches counted alike", Cause.FORWARD_WRONG),
        edit("lr=lr) for", "lr=2 * lr) for", "lr grown to make up for it", Cause.FORWARD_WRONG),
    ),
    why="The moments belong to the run, not to an epoch. Begun anew, each step is a first step again: of length lr, and it never becomes shorter.",
    hints=(
        "How long is a step of Adam, in each entry, if the state is None? How long should it become as the gradients grow small and noisy?",
        "Follow one parameter's state through two batches. Where does it come from, and where does it go?",
        "Count the steps: print the t inside the state at the end of every epoch.",
    ),
)
### END SPEC
