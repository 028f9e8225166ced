"""The broadcast hunt
==================

This network runs. Its loss falls, nothing crashes, no warning is printed, and after any number of epochs it reports an accuracy of 62 %: the
share of the larger class, as if it had never looked at the data. It is a copy of a real notebook, and this course grew out of it.

    autograd-check train --network broadcast_hunt --ops lessons

One mistake was planted, and it bites in more than one place. Every layer below comes from your earlier lessons, and is right. Find it and fix
it; fixed, the same network with the same seed passes 96 %.

Shapes are meant to be: x (N, D); y (N,), zeros and ones, as the data file gives them; params [(w, b), …] with one output. The loss is the mean
over N of the binary cross-entropy of logit and target, dparams its gradient, the accuracy the share of rows whose logit is on the right side of 0.
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
    """x (N, D), y (N,) → params [(w, b), …], history [(loss, accuracy), …]: what the network says about itself, epoch by epoch."""
    params = []
    for fan_in, fan_out in zip(dims[:-1], dims[1:], strict=True):
        w = he_normal(fan_in, fan_out, generator=generator).to(x.dtype)
        params.append((w, torch.zeros(fan_out, dtype=x.dtype)))
    history = []
    for _ in range(epochs):
        loss, dparams = loss_and_gradients(x, y, params)
        params = [
            tuple(sgd_step(layer, dlayer, lr=lr)) for layer, dlayer in zip(params, dparams, strict=True)
        ]
        history.append((float(loss), float(accuracy(x, y, params))))
    return params, history


### BEGIN SPEC
from autograd_check.course import Cause, edit, wrong
from autograd_check.course.spec import Benchmark, Claim, Lesson, Properties, Property, Unanswered
from autograd_check.requests import Seed

DIMS = (5, 6, 4, 1)
PAIRS = "z is (N, 1) and y is (N,), so they meet as N × N pairs, every row with every other row's target"


def _data(seed, rows):
    """Rows x (rows, 5) and y (rows,): about 62 % are of class 1, and a line separates the classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, DIMS[0], generator=generator, dtype=torch.float64)
    score = x.sum(1)
    return x, (score > score.quantile(0.38)).to(torch.float64)


def _params(seed, shift=1.0):
    """A network whose logits are mostly of the sign of `shift`."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape, shift=0.0):
        return torch.randn(shape, generator=generator, dtype=torch.float64) * 0.7 + shift

    *hidden, (w, b) = [(normal(i, o), normal(o, shift=1.0)) for i, o in zip(DIMS[:-1], DIMS[1:], strict=True)]
    return [*hidden, (w.abs() * shift, b.abs() * shift)]


def _logits(x, params):
    for w, b in params[:-1]:
        x = torch.relu(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def _paired(z, y):
    """Logits and targets as the planted mistake meets them: every logit with every target."""
    return torch.broadcast_tensors(z, y)


def _column(z, y):
    return z, y[:, None]


def _loss(x, y, params, meet):
    return torch.nn.functional.binary_cross_entropy_with_logits(*meet(_logits(x, params), y))


def _gradients(x, y, params, meet):
    leaves = [tuple(p.clone().requires_grad_() for p in layer) for layer in params]
    with torch.enable_grad():
        return torch.autograd.grad(_loss(x, y, leaves, meet), [p for layer in leaves for p in layer])


def _accuracy(x, y, params, meet):
    z, target = meet(_logits(x, params), y)
    return ((z > 0) == (target > 0.5)).to(torch.float64).mean()


def _knowing(rows, seed):
    """Data and a network whose logit is the sum of a row: right on all but the three rows whose targets are turned round."""
    x, y = _data(seed, rows)
    y = (x.sum(1) > 0).to(x.dtype)
    y[:3] = 1 - y[:3]
    both = torch.ones(DIMS[0], 1, dtype=x.dtype) * torch.tensor([1.0, -1.0], dtype=x.dtype)
    return x, y, [(both, torch.zeros(2, dtype=x.dtype)), (both[:1].T.clone(), torch.zeros(1, dtype=x.dtype))]


def _answer(candidate, function, *args, **kwargs):
    outcome = candidate.call(function, args, kwargs)
    if not outcome.ok:
        raise Unanswered(outcome.failure, function)
    return outcome.value


def _flat(dparams):
    """The tensors of [(dw, db), …] in order; empty where it is anything else."""
    pairs = dparams if isinstance(dparams, (list, tuple)) else []
    found = [gradient for pair in pairs if isinstance(pair, (list, tuple)) for gradient in pair]
    return found if all(isinstance(gradient, torch.Tensor) for gradient in found) else []


def _two(value):
    """Both parts of a returned pair; (None, ()) where it is none."""
    return value if isinstance(value, (tuple, list)) and len(value) == 2 else (None, ())


def _close(got, expected):
    return float((got - expected).abs().max()) <= 1e-10 * (1e-3 + float(expected.abs().max()))


def _number(value):
    """A single number out of a float or a tensor of one entry, else None."""
    if not isinstance(value, (int, float, torch.Tensor)):
        return None
    value = torch.as_tensor(value, dtype=torch.float64)
    return value.reshape(()) if value.numel() == 1 else None


def _judge(what, got, right, planted):
    """The claim for one number or tensor that must be `right` and was `planted`."""
    if got is None or got.shape != right.shape:
        return Claim(f"The {what} has the wrong shape; expected {tuple(right.shape)}.", "wrong_shape")
    if _close(got, right):
        return Claim(f"the {what} is right")
    evidence = {"got": got.tolist(), "expected": right.tolist(), "with_broadcast": planted.tolist()}
    if _close(got, planted):
        return Claim(
            f"The {what} is an average over N × N pairs: {PAIRS}.", "silent_broadcast", evidence=evidence
        )
    if got.numel() > 1:
        for other, cause, meaning in (
            (right, "constant_factor", "the right one"),
            (
                planted,
                "silent_broadcast",
                f"an average over N × N pairs, so somewhere it still is one: {PAIRS}",
            ),
        ):
            factor = float((got * other).sum() / (other * other).sum())
            if _close(got, factor * other):
                return Claim(f"The {what} is {factor:.6g} times {meaning}.", cause, evidence=evidence)
    cause = "unknown" if got.numel() > 1 else "forward_wrong"
    return Claim(f"The {what} is neither the right one nor the planted one.", cause, evidence=evidence)


def loss_is_a_mean_over_rows(candidate, seed):
    """The loss is the mean over N of the cross-entropy of each row with its own target."""
    for rows, shift in ((7, 1.0), (12, -1.0), (9, 0.2), (8, -0.1), (1, 1.0)):
        x, y = _data(seed + rows, rows)
        params = _params(seed + rows, shift)
        loss, _ = _two(_answer(candidate, "loss_and_gradients", x, y, params))
        claim = _judge("loss", _number(loss), *(_loss(x, y, params, meet) for meet in (_column, _paired)))
        if not claim.holds:
            return claim
    return Claim("the loss is the mean over the rows")


def gradients_are_of_that_loss(candidate, seed):
    """dparams is torch's gradient of the right loss, parameter by parameter."""
    for rows in (7, 12, 1):
        x, y = _data(seed + rows, rows)
        params = _params(seed + rows)
        _, dparams = _two(_answer(candidate, "loss_and_gradients", x, y, params))
        found = _flat(dparams)
        right, planted = (_gradients(x, y, params, meet) for meet in (_column, _paired))
        if len(found) != len(right):
            return Claim(f"dparams must be a list of {len(params)} pairs (dw, db).", "wrong_shape")
        for k, arrays in enumerate(zip(found, right, planted, strict=True)):
            claim = _judge(f"gradient dparams[{k // 2}].{'wb'[k % 2]}", *arrays)
            if not claim.holds:
                return claim
    return Claim("dparams is the gradient of the loss")


def accuracy_counts_rows(candidate, seed):
    """The accuracy is the share of the N rows whose logit is on the right side of 0."""
    for rows in (50, 31, 4):
        x, y, params = _knowing(rows, seed + rows)
        share = _number(_answer(candidate, "accuracy", x, y, params))
        claim = _judge("accuracy", share, *(_accuracy(x, y, params, meet) for meet in (_column, _paired)))
        if not claim.holds:
            return claim
    return Claim("the accuracy counts rows")


def learns(candidate, seed):
    """Trained on 120 rows that a line separates, the better of two seeds is right on more than 90 %; the larger class has 62 %."""
    x, y = _data(seed, 120)
    shares = []
    for s in (seed, seed + 1):
        hyper = {"dims": DIMS, "lr": 0.5, "epochs": 300, "generator": Seed(s)}
        params, history = _two(_answer(candidate, "fit", x, y, **hyper))
        if len(_flat(params)) != 2 * (len(DIMS) - 1):
            return Claim("fit must return (params, history), with params a list of (w, b).", "wrong_shape")
        shares.append(float(_accuracy(x, y, params, _column)))
        last = history[-1] if isinstance(history, (list, tuple)) and len(history) == 300 else None
        told = _number(_two(last)[1]) if last is not None and _two(last)[0] is not None else None
        if told is None or abs(float(told) - shares[-1]) > 1e-6:
            return Claim(
                "fit's history must hold (loss, accuracy) for each epoch, the accuracy after its step.",
                "forward_wrong",
            )
    if max(shares) <= 0.9:
        says = (
            f"After 300 epochs {max(shares):.0%} of the rows are right, and the larger class alone is 62 %."
        )
        return Claim(says, "silent_broadcast", evidence={"accuracy": max(shares)})
    return Claim("the fixed network learns")


def _bench(hunt):
    x, y = _data(0, 455)
    params = _params(0)
    return lambda: hunt["loss_and_gradients"](x, y, params), lambda: _gradients(x, y, params, _column)


LESSON = Lesson(
    name="broadcast_hunt",
    title="The broadcast hunt",
    source="NumPy's broadcasting rules, which torch follows (docs.pytorch.org, Broadcasting semantics)",
    requires=("training",),
    forbids=("binary_cross_entropy_with_logits",),
    points=10,
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
    benchmarks=(Benchmark("forward+backward", "455 rows, 5-6-4-1", _bench),),
    target=None,
    mistakes=(
        wrong("as handed out", Cause.SILENT_BROADCAST),
        wrong("accuracy still broadcasts", Cause.SILENT_BROADCAST),
        wrong("loss still broadcasts", Cause.SILENT_BROADCAST),
        wrong("gradient still broadcasts", Cause.SILENT_BROADCAST),
        edit("y = y[:, None]", "y = y[None, :]", "the column put in front", Cause.SILENT_BROADCAST),
        edit("each.mean()", "each.sum()", "sum for mean", Cause.FORWARD_WRONG),
    ),
    hints=(
        "Print the shapes of z, y and each for a batch of seven rows.",
        "Two tensors of shapes (7, 1) and (7,) can be subtracted. What shape does the result have, and what would you have wanted?",
        "Give y a second axis, or take z's away, in every place where the two meet.",
    ),
)
### END SPEC
