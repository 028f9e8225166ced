"""The softmax hunt
================

This classifier learns. Its loss falls from epoch to epoch, and on the 8 × 8 digits, after 1,000 epochs at
lr 0.5, it names about 91 % of the digits that it has not seen. Nothing looks wrong, and nobody would go on
searching. But with the same data, the same steps and a right gradient it names 96 %, and its loss on the
digits that it has seen is half as large.

One clue: a softmax does not change when all scores of a row are shifted together, so a row of dscores must
sum to 0. Here all biases grow and grow, every one of them upwards.

One mistake was planted, in `loss_and_gradients`. The functions that it imports are from your earlier lessons,
and are right. Find it and fix it.

Shapes are meant to be: x (N, D); y (N,), class indices from 0 to K − 1; w (D, K), b (K,); scores = x w + b
and p = softmax(scores) are (N, K). The loss is the mean over N of −log p[n, y[n]], the surprise at the true
class; dw and db are its gradients.
"""

import torch

from solutions.u02_network.linear import linear_backward, linear_forward
from solutions.u03_activations.softmax import softmax_forward


def loss_and_gradients(x, y, w, b):
    """x (N, D), y (N,), w (D, K), b (K,) → loss (), dw (D, K), db (K,)."""
    ### BEGIN SOLUTION
    scores, cache = linear_forward(x, w, b)
    p, _ = softmax_forward(scores)
    rows = torch.arange(len(y))
    loss = -torch.log(p[rows, y]).mean()
    dp = torch.zeros_like(p)
    dp[rows, y] = -1 / p[rows, y] / len(y)
    dscores = p * (dp - (dp * p).sum(1, keepdim=True))
    _, dw, db = linear_backward(dscores, cache)
    return loss, dw, db
    ### END SOLUTION
    ### BEGIN STUB
    # scores, cache = linear_forward(x, w, b)
    # p, _ = softmax_forward(scores)
    # rows = torch.arange(len(y))
    # loss = -torch.log(p[rows, y]).mean()
    # dp = torch.zeros_like(p)
    # dp[rows, y] = -1 / p[rows, y] / len(y)
    # dscores = dp * p * (1 - p)
    # _, dw, db = linear_backward(dscores, cache)
    # return loss, dw, db
    ### END STUB


def fit(x, y, *, classes, lr, epochs):
    """x (N, D), y (N,) → w (D, classes), b (classes,), history [loss before each step, …], from zeros."""
    w, b = x.new_zeros(x.shape[1], classes), x.new_zeros(classes)
    history = []
    for _ in range(epochs):
        loss, dw, db = loss_and_gradients(x, y, w, b)
        w, b = w - lr * dw, b - lr * db
        history.append(float(loss))
    return w, b, history


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    Cause,
    Claim,
    Lesson,
    Properties,
    Property,
    all_hold,
    answer,
    close,
    edit,
    number,
    wrong,
)

SIZES = ((7, 4, 3), (12, 3, 5), (1, 5, 4), (5, 3, 5), (9, 4, 2))
FLOAT32 = 3e-6
"""Constants in float32 are no mistake in a gradient."""
DIAGONAL = "only the diagonal of the softmax's derivative is in it: raising one score also lowers the shares of all others"
KNOWN = (
    (Cause.MISSING_TERM, DIAGONAL, lambda p, dp: dp * p * (1 - p)),
    (Cause.MISSING_TERM, "the sum over the classes is missing in it", lambda p, dp: dp * p),
    (Cause.WRONG_AXIS, "it sums over rows, not classes", lambda p, dp: p * (dp - (dp * p).sum(0))),
    (Cause.WRONG_AXIS, "it sums over everything, not classes", lambda p, dp: p * (dp - (dp * p).sum())),
)


def _problem(seed, rows, features, classes):
    """x (rows, features) and class indices y (rows,) that depend on x, with parameters w and b away from 0."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    x = normal(rows, features)
    y = (x @ normal(features, classes) + 0.5 * normal(rows, classes)).argmax(1)
    return x, y, 0.7 * normal(features, classes), 0.7 * normal(classes)


def _right(x, y, w, b):
    """Loss and gradients by torch."""
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(x @ w + b, y)
        return loss.detach(), *torch.autograd.grad(loss, (w, b))


def _parts(candidate, problem):
    """loss, dw and db; None for all of them where anything else came back. (loss, (dw, db)) will do."""
    value = answer(candidate, "loss_and_gradients", *problem)
    loss, *grads = value if isinstance(value, (tuple, list)) and value else [None]
    grads = grads[0] if len(grads) == 1 and isinstance(grads[0], (tuple, list)) else grads
    real = [grad for grad in grads if isinstance(grad, torch.Tensor) and not grad.is_complex()]
    return (number(loss), *real) if len(grads) == len(real) == 2 else (None, None, None)


def loss_is_the_mean_surprise(candidate, seed):
    """The loss is torch's cross-entropy of the scores."""

    def claims():
        for sizes in SIZES:
            problem = _problem(seed + sum(sizes), *sizes)
            got, expected = _parts(candidate, problem)[0], _right(*problem)[0]
            if got is None:
                yield Claim("loss_and_gradients must return (loss, dw, db).", Cause.WRONG_SHAPE)
            elif not close(got, expected, FLOAT32):
                says = f"The loss should be {expected:.6g} with {sizes[0]} rows; yours is {got:.6g}. It was right as handed out."
                yield Claim(
                    says, Cause.FORWARD_WRONG, evidence={"got": got.item(), "expected": expected.item()}
                )

    return all_hold(claims(), "the loss is the mean surprise at the true class")


def gradient(name, position):
    """The claim that dw or db is torch's gradient of the loss."""

    def holds(candidate, seed):
        def claims():
            for sizes in SIZES:
                problem = _problem(seed + sum(sizes), *sizes)
                got, expected = _parts(candidate, problem)[position], _right(*problem)[position]
                if got is None or got.shape != expected.shape:
                    yield Claim(f"{name} must have the shape {tuple(expected.shape)}.", Cause.WRONG_SHAPE)
                elif not close(got, expected, FLOAT32):
                    yield _why(name, got, expected, problem, position)

        return all_hold(claims(), f"{name} is the gradient of the loss")

    return holds


def _why(name, got, expected, problem, position):
    """The cause of a wrong dw or db, by what wrong derivatives of the softmax would have given."""
    x, y, w, b = problem
    p = torch.softmax(x @ w + b, 1)
    dp = -F.one_hot(y, p.shape[1]) / p / len(y)
    for cause, what, dscores in KNOWN:
        spoilt = dscores(p, dp)
        if close(got, (None, x.T @ spoilt, spoilt.sum(0))[position], FLOAT32):
            sums = [round(value, 4) for value in spoilt.sum(1).tolist()]
            says = f"{name} belongs to a dscores whose rows do not sum to 0: {what}."
            return Claim(says, cause, evidence={"sums_of_dscores": sums})
    factors = {Cause.SIGN: -1.0, Cause.MISSING_BATCH_MEAN: float(len(y)), Cause.EXTRA_BATCH_MEAN: 1 / len(y)}
    for cause, factor in factors.items():
        if close(got, factor * expected, FLOAT32):
            return Claim(f"{name} is {factor:.4g} times the right gradient, with {len(y)} rows.", cause)
    return Claim(f"{name} is neither the right gradient nor the one that was handed out.", Cause.UNKNOWN)


def learns_as_it_should(candidate, seed):
    """After 40 epochs parameters and losses are those of gradient descent with torch's gradient."""
    x, y, _, _ = _problem(seed, 30, 4, 3)
    w, b, losses = torch.zeros(4, 3, dtype=x.dtype), torch.zeros(3, dtype=x.dtype), []
    for _ in range(40):
        loss, dw, db = _right(x, y, w, b)
        losses.append(loss)
        w, b = w - 0.5 * dw, b - 0.5 * db
    value = answer(candidate, "fit", x, y, classes=3, lr=0.5, epochs=40)
    three = isinstance(value, (tuple, list)) and len(value) == 3
    got_w, got_b, history = value if three else (None, None, None)
    if not isinstance(got_w, torch.Tensor) or not isinstance(got_b, torch.Tensor):
        return Claim("fit must return (w, b, history).", Cause.WRONG_SHAPE)
    if not close(got_w, w, FLOAT32) or not close(got_b, b, FLOAT32):
        says = "After 40 epochs w and b are not where gradient descent arrives."
        return Claim(says, Cause.FORWARD_WRONG)
    told = [number(each) for each in history] if isinstance(history, (tuple, list)) else []
    if len(told) != 40 or None in told or not close(torch.stack(told), torch.stack(losses), FLOAT32):
        says = "history must hold the loss of every epoch, taken before its step, as it did when it was handed out."
        return Claim(says, Cause.FORWARD_WRONG)
    return Claim("the fixed classifier learns as torch's does")


LESSON = Lesson(
    name="softmax_hunt",
    title="The softmax hunt",
    source="Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.106 and 4.109",
    requires=("linear", "softmax"),
    forbids=("cross_entropy", "nll_loss"),
    minutes=20,
    given=True,
    tasks=(
        Properties(
            functions=("loss_and_gradients", "fit"),
            properties=(
                Property("loss", loss_is_the_mean_surprise, subject="loss"),
                Property("gradient of w", gradient("dw", 1), subject="dw"),
                Property("gradient of b", gradient("db", 2), subject="db"),
                Property("learns", learns_as_it_should, subject="fit"),
            ),
        ),
    ),
    mistakes=(
        wrong("as handed out", Cause.MISSING_TERM),
        wrong("fixed for b only", Cause.MISSING_TERM),
        edit("(dp - (dp * p).sum(1, keepdim=True))", "dp", "sum forgotten", Cause.MISSING_TERM),
        edit(
            "(dp * p).sum(1, keepdim=True)",
            "(dp * p).sum(0, keepdim=True)",
            "summed over the rows",
            Cause.WRONG_AXIS,
        ),
        edit("(dp * p).sum(1, keepdim=True)", "(dp * p).sum()", "summed over everything", Cause.WRONG_AXIS),
        edit("-1 / p[rows, y] / len(y)", "-1 / p[rows, y]", "1/N lost on the way", Cause.MISSING_BATCH_MEAN),
        edit("-1 / p[rows, y] / len(y)", "1 / p[rows, y] / len(y)", "sign", Cause.SIGN),
        edit(".mean()", ".sum()", "sum for mean in the loss", Cause.FORWARD_WRONG),
    ),
    why="Every probability depends on every score through the common sum. The diagonal alone leaves that out, and then the gradients of a row no longer sum to 0.",
    hints=(
        "Compute dscores for a batch of seven rows and sum its rows. What do you get, and what should it be?",
        "dp is 0 for all classes but the true one. Which scores can move p at the true class, and which of them get a gradient here?",
        "∂p_j/∂s_k is p_j (1 − p_j) only for j = k. You have written the whole derivative in the lesson on the softmax.",
    ),
)
### END SPEC
