"""The broadcast hunt
==================

This network runs. Its loss falls, nothing crashes, no warning is printed, and after any number of epochs it
reports an accuracy of 62 %: the share of the larger class, as if it had never looked at the data. It is a
copy of a real notebook, and this course grew out of it.

    autograd-check train --network broadcast_hunt --ops lessons

One mistake was planted, and it bites in more than one place. Every layer below comes from your earlier
lessons, and is right. Find it and fix it; fixed, the same network with the same seed passes 96 %.

Shapes are meant to be: x (N, D); y (N,), zeros and ones, as the data file gives them; params [(w, b), …] with
one output. The loss is the mean over N of the binary cross-entropy of logit and target, dparams its gradient,
the accuracy the share of rows whose logit is on the right side of 0.
"""

import torch

from solutions.u02_network.initialisation import he_normal
from solutions.u02_network.mlp import mlp_backward, mlp_forward
from solutions.u02_network.sgd import sgd_step


def loss_and_gradients(x, y, params):
    """x (N, D), y (N,), params [(w, b), …] → loss (), dparams [(dw, db), …]."""
    ### BEGIN SOLUTION
    z, cache = mlp_forward(x, params)
    y = y[:, None]
    each = z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z
    dz = (torch.sigmoid(z) - y) / each.numel()
    dz = dz.sum(1, keepdim=True)  # the network has one output, so its gradient has one column
    _, dparams = mlp_backward(dz, cache)
    return each.mean(), dparams
    ### END SOLUTION
    ### BEGIN STUB
    # z, cache = mlp_forward(x, params)
    # each = z.clamp(min=0) + torch.log1p(torch.exp(-z.abs())) - y * z
    # dz = (torch.sigmoid(z) - y) / each.numel()
    # dz = dz.sum(1, keepdim=True)  # the network has one output, so its gradient has one column
    # _, dparams = mlp_backward(dz, cache)
    # return each.mean(), dparams
    ### END STUB


def accuracy(x, y, params):
    """x (N, D), y (N,), params [(w, b), …] → the share of rows that are classified right, ()."""
    ### BEGIN SOLUTION
    z, _ = mlp_forward(x, params)
    right = (z[:, 0] > 0) == (y > 0.5)
    return right.to(x.dtype).mean()
    ### END SOLUTION
    ### BEGIN STUB
    # z, _ = mlp_forward(x, params)
    # right = (z > 0) == (y > 0.5)
    # return right.to(x.dtype).mean()
    ### END STUB


def fit(x, y, *, dims, lr, epochs, generator):
    """x (N, D), y (N,) → params [(w, b), …], history [(loss, accuracy), …], one an epoch."""
    weights = [
        he_normal(i, o, generator=generator).to(x.dtype) for i, o in zip(dims[:-1], dims[1:], strict=True)
    ]
    params = [(w, w.new_zeros(w.shape[1])) for w in weights]
    history = []
    for _ in range(epochs):
        loss, dparams = loss_and_gradients(x, y, params)
        layers = zip(params, dparams, strict=True)
        params = [tuple(sgd_step(layer, dlayer, lr=lr)) for layer, dlayer in layers]
        history.append((float(loss), float(accuracy(x, y, params))))
    return params, history


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Claim,
    Lesson,
    Planted,
    Properties,
    Property,
    agrees,
    all_hold,
    answer,
    edit,
    flat,
    network,
    number,
    relu_network,
    two,
    wrong,
)
from autograd_check.requests import Seed

DIMS = (5, 6, 4, 1)
PAIRS = "an average over N × N pairs: z is (N, 1) and y is (N,), so every row meets every other row's target"


def _data(seed, rows):
    """Rows x (rows, 5) and y (rows,): about 62 % are of class 1, and a line separates the classes."""
    x = torch.randn(rows, DIMS[0], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x, (x.sum(1) > x.sum(1).quantile(0.38)).to(torch.float64)


def _problem(seed, rows, shift=1.0):
    """Data, and a network whose logits have the sign of `shift` and are at most 5 |shift|: log(1 - p) keeps its digits there."""
    generator = torch.Generator().manual_seed(seed + rows)
    x, y = _data(seed + rows, rows)
    *hidden, (w, b) = network(*DIMS, scale=0.7, shift=1.0).make((), {})(generator)
    factor = 5 * shift / relu_network(x, [*hidden, (w.abs(), b.abs())]).max()
    return x, y, [*hidden, (w.abs() * factor, b.abs() * factor)]


def _knowing(rows, seed):
    """A network whose logit is the sum of a row, and data on which it is right but for three rows."""
    x, _ = _data(seed, rows)
    y = (x.sum(1) > 0).to(x.dtype)
    y[:3] = 1 - y[:3]
    both = torch.ones(DIMS[0], 1, dtype=x.dtype) * torch.tensor([1.0, -1.0], dtype=x.dtype)
    return x, y, [(both, torch.zeros(2, dtype=x.dtype)), (both[:1].T.clone(), torch.zeros(1, dtype=x.dtype))]


MEETINGS = (lambda z, y: (z, y[:, None]), torch.broadcast_tensors)
"""How logits and targets meet: as they should, and as the planted mistake has it."""


def _loss(x, y, params, meet):
    return F.binary_cross_entropy_with_logits(*meet(relu_network(x, params), y))


def _gradients(x, y, params, meet):
    leaves = [tuple(p.clone().requires_grad_() for p in layer) for layer in params]
    with torch.enable_grad():
        return torch.autograd.grad(_loss(x, y, leaves, meet), [p for layer in leaves for p in layer])


def _accuracy(x, y, params, meet):
    z, target = meet(relu_network(x, params), y)
    return ((z > 0) == (target > 0.5)).to(torch.float64).mean()


def _judge(what, got, right, planted):
    return agrees(what, got, right, Planted(planted, Cause.SILENT_BROADCAST, PAIRS))


def loss_is_a_mean_over_rows(candidate, seed):
    """The loss is the mean over N of the cross-entropy of each row with its own target."""

    def claims():
        for rows, shift in ((7, 1.0), (12, -1.0), (9, 0.2), (8, -0.1), (1, 1.0)):
            x, y, params = _problem(seed, rows, shift)
            loss, _ = two(answer(candidate, "loss_and_gradients", x, y, params))
            yield _judge("loss", number(loss), *(_loss(x, y, params, meet) for meet in MEETINGS))

    return all_hold(claims(), "the loss is the mean over the rows")


def gradients_are_of_that_loss(candidate, seed):
    """dparams is torch's gradient of the right loss, parameter by parameter."""

    def claims():
        for rows in (7, 12, 1):
            x, y, params = _problem(seed, rows)
            found = flat(two(answer(candidate, "loss_and_gradients", x, y, params))[1])
            right, planted = (_gradients(x, y, params, meet) for meet in MEETINGS)
            if len(found) != len(right):
                yield Claim(f"dparams must be a list of {len(params)} pairs (dw, db).", Cause.WRONG_SHAPE)
            for k, arrays in enumerate(zip(found, right, planted, strict=True)):
                yield _judge(f"gradient dparams[{k // 2}].{'wb'[k % 2]}", *arrays)

    return all_hold(claims(), "dparams is the gradient of the loss")


def accuracy_counts_rows(candidate, seed):
    """The accuracy is the share of the N rows whose logit is on the right side of 0."""

    def claims():
        for rows in (50, 31, 4):
            x, y, params = _knowing(rows, seed + rows)
            share = number(answer(candidate, "accuracy", x, y, params))
            yield _judge("accuracy", share, *(_accuracy(x, y, params, meet) for meet in MEETINGS))

    return all_hold(claims(), "the accuracy counts rows")


def learns(candidate, seed):
    """On 120 rows that a line separates, the better of two seeds is right on more than 90 %."""
    x, y = _data(seed, 120)
    shares = []
    for s in (seed, seed + 1):
        hyper = dict(dims=DIMS, lr=0.5, epochs=300, generator=Seed(s))
        params, history = two(answer(candidate, "fit", x, y, **hyper))
        if len(flat(params)) != 2 * (len(DIMS) - 1):
            return Claim("fit must return (params, history), params a list of (w, b).", Cause.WRONG_SHAPE)
        shares.append(float(_accuracy(x, y, params, MEETINGS[0])))
        told = number(two(history[-1])[1]) if len(history) == 300 else None
        if told is None or abs(float(told) - shares[-1]) > 1e-6:
            return Claim("history holds (loss, accuracy after it) of each epoch.", Cause.FORWARD_WRONG)
    says = f"After 300 epochs {max(shares):.0%} of the rows are right; the larger class alone is 62 %."
    return Claim(says, "" if max(shares) > 0.9 else Cause.SILENT_BROADCAST, evidence={"accuracy": shares})


LESSON = Lesson(
    name="broadcast_hunt",
    title="The broadcast hunt",
    source="NumPy's broadcasting rules, which torch follows (docs.pytorch.org, Broadcasting semantics)",
    requires=("training",),
    forbids=("binary_cross_entropy_with_logits",),
    minutes=20,
    given=True,
    tasks=(
        Properties(
            functions=("loss_and_gradients", "accuracy", "fit"),
            properties=(
                Property("loss", loss_is_a_mean_over_rows, subject="loss"),
                Property("gradient", gradients_are_of_that_loss, subject="dparams"),
                Property("accuracy", accuracy_counts_rows, subject="accuracy"),
                Property("learns", learns, subject="fit"),
            ),
        ),
    ),
    mistakes=(
        wrong("as handed out", Cause.SILENT_BROADCAST),
        wrong("accuracy still broadcasts", Cause.SILENT_BROADCAST),
        wrong("loss still broadcasts", Cause.SILENT_BROADCAST),
        wrong("gradient still broadcasts", Cause.SILENT_BROADCAST),
        edit("y = y[:, None]", "y = y[None, :]", "the column put in front", Cause.SILENT_BROADCAST),
        edit("each.mean()", "each.sum()", "sum for mean", Cause.FORWARD_WRONG),
    ),
    why="Tensors of shapes (N, 1) and (N,) meet as a table of N × N: every row is compared with every target. The best answer to that is the same for all rows, which is right as often as the larger class is.",
    hints=(
        "Print the shapes of z, y and each for a batch of seven rows.",
        "Tensors of shapes (7, 1) and (7,) can be subtracted. Which shape comes out, and which did you want?",
        "Give y a second axis, or take z's away, in every place where the two meet.",
    ),
)
### END SPEC
