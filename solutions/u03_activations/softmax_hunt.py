"""The softmax hunt
================

This classifier learns. Its loss falls from epoch to epoch, and on the 8 × 8 digits, after 1,000 epochs at lr 0.5, it names about 91 % of the
digits that it has not seen. Nothing looks wrong, and nobody would go on searching. But with the same data, the same steps and a right
gradient it names 96 %, and its loss on the digits that it has seen is half as large.

One clue: a softmax does not change when all scores of a row are shifted together, so a row of dscores must sum to 0. Here all biases grow and
grow, every one of them upwards.

One mistake was planted, in `loss_and_gradients`. The functions that it imports are from your earlier lessons, and are right. Find it and
fix it.

Shapes are meant to be: x (N, D); y (N,), class indices from 0 to K − 1; w (D, K), b (K,); scores = x w + b and p = softmax(scores) are (N, K).
The loss is the mean over N of −log p[n, y[n]], the surprise at the true class; dw and db are its gradients.
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
    """x (N, D), y (N,) → w (D, classes), b (classes,), history [loss, …]: gradient descent from zeros, losses before each step."""
    w, b = x.new_zeros(x.shape[1], classes), x.new_zeros(classes)
    history = []
    for _ in range(epochs):
        loss, dw, db = loss_and_gradients(x, y, w, b)
        w, b = w - lr * dw, b - lr * db
        history.append(float(loss))
    return w, b, history


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

SIZES = ((7, 4, 3), (12, 3, 5), (1, 5, 4), (5, 3, 5), (9, 4, 2))
KNOWN = (
    (
        "missing_term",
        "only the diagonal of the softmax's derivative is in it: raising one score also lowers the shares of all other classes",
        lambda p, dp: dp * p * (1 - p),
    ),
    ("missing_term", "the sum over the classes is missing in it", lambda p, dp: dp * p),
    (
        "wrong_axis",
        "it sums over the rows where it should sum over the classes",
        lambda p, dp: p * (dp - (dp * p).sum(0)),
    ),
    (
        "wrong_axis",
        "it sums over everything where it should sum over the classes",
        lambda p, dp: p * (dp - (dp * p).sum()),
    ),
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
        loss = torch.nn.functional.cross_entropy(x @ w + b, y)
        return loss.detach(), *torch.autograd.grad(loss, (w, b))


def _answer(candidate, function, args, **kwargs):
    outcome = candidate.call(function, args, kwargs)
    if not outcome.ok:
        raise Unanswered(outcome.failure, function)
    return outcome.value


def _three(candidate, *args):
    """loss, dw and db as tensors; None where anything else came back."""
    value = _answer(candidate, "loss_and_gradients", args)
    parts = list(value) if isinstance(value, (tuple, list)) else []
    if len(parts) == 2 and isinstance(parts[1], (tuple, list)):
        parts = [parts[0], *parts[1]]
    numbers = all(
        isinstance(part, (float, int)) or (isinstance(part, torch.Tensor) and not part.is_complex())
        for part in parts
    )
    return (
        [torch.as_tensor(part, dtype=torch.float64) for part in parts]
        if numbers and len(parts) == 3
        else None
    )


def _number(value):
    """A single number as a float; nan for anything else."""
    plain = isinstance(value, (float, int)) or (
        isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex()
    )
    return float(value) if plain else float("nan")


def _close(got, expected):
    """Equal but for float32 constants."""
    return got.shape == expected.shape and float((got - expected).abs().max()) <= 3e-6 * (
        1e-3 + float(expected.abs().max())
    )


def loss_is_the_mean_surprise(candidate, seed):
    """The loss is torch's cross-entropy of the scores."""
    for sizes in SIZES:
        problem = _problem(seed + sum(sizes), *sizes)
        got, (expected, _, _) = _three(candidate, *problem), _right(*problem)
        if got is None:
            return Claim("loss_and_gradients must return (loss, dw, db).", "wrong_shape")
        if not _close(got[0].squeeze(), expected):
            says = f"The loss should be {expected:.6g} with {sizes[0]} rows; yours is {got[0].tolist()}. It was right as handed out."
            return Claim(
                says, "forward_wrong", evidence={"got": got[0].tolist(), "expected": float(expected)}
            )
    return Claim("the loss is the mean surprise at the true class")


def _gradient_claim(candidate, seed, position):
    name = ("loss", "dw", "db")[position]
    for sizes in SIZES:
        problem = _problem(seed + sum(sizes), *sizes)
        got, expected = _three(candidate, *problem), _right(*problem)[position]
        if got is None or got[position].shape != expected.shape:
            return Claim(f"{name} must have the shape {tuple(expected.shape)}.", "wrong_shape")
        if not _close(got[position], expected):
            return _why(name, got[position], expected, problem, position)
    return Claim(f"{name} is the gradient of the loss")


def _why(name, got, expected, problem, position):
    """The cause of a wrong dw or db, by what wrong derivatives of the softmax would have given."""
    x, y, w, b = problem
    p = torch.softmax(x @ w + b, 1)
    dp = -torch.nn.functional.one_hot(y, p.shape[1]) / p / len(y)
    for cause, what, dscores in KNOWN:
        wrong = dscores(p, dp)
        if _close(got, (None, x.T @ wrong, wrong.sum(0))[position]):
            sums = [round(value, 4) for value in wrong.sum(1).tolist()]
            evidence = {"sums_of_dscores": sums}
            return Claim(
                f"{name} belongs to a dscores whose rows do not sum to 0: {what}.", cause, evidence=evidence
            )
    for factor, cause in (
        (-1.0, "sign"),
        (float(len(y)), "missing_batch_mean"),
        (1 / len(y), "extra_batch_mean"),
    ):
        if _close(got, factor * expected):
            return Claim(
                f"{name} is {factor:.4g} times the right gradient, and there are {len(y)} rows.", cause
            )
    return Claim(f"{name} is neither the right gradient nor the one that was handed out.", "unknown")


def weights_get_their_gradient(candidate, seed):
    """dw is torch's gradient of the loss."""
    return _gradient_claim(candidate, seed, 1)


def biases_get_their_gradient(candidate, seed):
    """db is torch's gradient of the loss."""
    return _gradient_claim(candidate, seed, 2)


def learns_as_it_should(candidate, seed):
    """After 40 epochs parameters and losses are those of gradient descent with torch's gradient."""
    x, y, _, _ = _problem(seed, 30, 4, 3)
    w, b = torch.zeros(4, 3, dtype=x.dtype), torch.zeros(3, dtype=x.dtype)
    losses = []
    for _ in range(40):
        loss, dw, db = _right(x, y, w, b)
        losses.append(float(loss))
        w, b = w - 0.5 * dw, b - 0.5 * db
    value = _answer(candidate, "fit", (x, y), classes=3, lr=0.5, epochs=40)
    parts = list(value)[:2] if isinstance(value, (tuple, list)) else []
    if len(parts) < 2 or not all(isinstance(part, torch.Tensor) for part in parts):
        return Claim("fit must return (w, b, history).", "wrong_shape")
    if not _close(parts[0], w) or not _close(parts[1], b):
        return Claim(
            "After 40 epochs w and b are not where gradient descent on this loss arrives.", "forward_wrong"
        )
    history = (
        torch.tensor([float(loss) for loss in value[2]])
        if len(value) == 3 and isinstance(value[2], (tuple, list))
        else None
    )
    if history is None or not _close(history, torch.tensor(losses)):
        return Claim(
            "history must hold the loss of every epoch, taken before its step, as it did when it was handed out.",
            "forward_wrong",
        )
    return Claim("the fixed classifier learns as torch's does")


def _planted(x, y, w, b):
    scores, cache = linear_forward(x, w, b)
    p, _ = softmax_forward(scores)
    rows = torch.arange(len(y))
    loss = -torch.log(p[rows, y]).mean()
    dp = torch.zeros_like(p)
    dp[rows, y] = -1 / p[rows, y] / len(y)
    dscores = dp * p * (1 - p)
    _, dw, db = linear_backward(dscores, cache)
    return loss, dw, db


def _half_fixed(x, y, w, b):
    loss, _, db = loss_and_gradients(x, y, w, b)
    return loss, _planted(x, y, w, b)[1], db


def _simplified(x, y, w, b):
    scores, cache = linear_forward(x, w, b)
    p, _ = softmax_forward(scores)
    loss = -p.gather(1, y[:, None]).log().mean()
    dscores = p.clone()
    dscores[range(len(y)), y] -= 1
    dscores /= len(y)
    _, dw, db = linear_backward(dscores, cache)
    return loss, dw, db


def _rows(x, y, w, b):
    loss, dw, db = x.new_zeros(()), torch.zeros_like(w), torch.zeros_like(b)
    for row, label in zip(x, y.tolist(), strict=True):
        scores = row @ w + b
        p = torch.exp(scores - torch.logsumexp(scores, 0))
        loss = loss - torch.log(p[label]) / len(y)
        for k in range(len(p)):
            slope = (p[k] - (1 if k == label else 0)) / len(y)
            dw[:, k] += slope * row
            db[k] += slope
    return loss, dw, db


def _jacobian(x, y, w, b):
    p, _ = softmax_forward(x @ w + b)
    jacobian = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    hits = torch.eye(len(b), dtype=x.dtype)[y]
    dp = -hits / p / len(y)
    dscores = torch.einsum("nj,njk->nk", dp, jacobian)
    return -(hits * p.log()).sum() / len(y), torch.einsum("nd,nk->dk", x, dscores), dscores.sum(0)


def _bench(hunt):
    problem = _problem(0, 455, 30, 10)
    return lambda: hunt["loss_and_gradients"](*problem), lambda: _right(*problem)


LESSON = Lesson(
    name="softmax_hunt",
    title="The softmax hunt",
    source="Bishop, Pattern Recognition and Machine Learning (2006), eq. 4.106 and 4.109",
    requires=("linear", "softmax"),
    forbids=("cross_entropy", "nll_loss"),
    points=10,
    minutes=20,
    given=True,
    tasks=(
        Properties(
            functions=("loss_and_gradients", "fit"),
            properties=(
                Property("loss", loss_is_the_mean_surprise, subject="loss"),
                Property("gradient of w", weights_get_their_gradient, subject="dw"),
                Property("gradient of b", biases_get_their_gradient, subject="db"),
                Property("learns", learns_as_it_should, subject="fit"),
            ),
        ),
    ),
    benchmarks=(Benchmark("forward+backward", "455 rows, 30 features, 10 classes", _bench),),
    target=None,
    mistakes=(
        mistake("as handed out", "missing_term", loss_and_gradients=_planted),
        mistake("fixed for b only", "missing_term", loss_and_gradients=_half_fixed),
        mistake("sum forgotten", "missing_term", "(dp - (dp * p).sum(1, keepdim=True))", "dp"),
        mistake(
            "summed over the rows",
            "wrong_axis",
            "(dp * p).sum(1, keepdim=True)",
            "(dp * p).sum(0, keepdim=True)",
        ),
        mistake("summed over everything", "wrong_axis", "(dp * p).sum(1, keepdim=True)", "(dp * p).sum()"),
        mistake("1/N lost on the way", "missing_batch_mean", "-1 / p[rows, y] / len(y)", "-1 / p[rows, y]"),
        mistake("sign", "sign", "-1 / p[rows, y] / len(y)", "1 / p[rows, y] / len(y)"),
        mistake("sum for mean in the loss", "forward_wrong", ".mean()", ".sum()"),
    ),
    variants=(
        variant("p − 1 at the true class", loss_and_gradients=_simplified),
        variant("row by row", loss_and_gradients=_rows),
        variant("the whole matrix", loss_and_gradients=_jacobian),
    ),
    hints=(
        "Compute dscores for a batch of seven rows and sum its rows. What do you get, and what should it be?",
        "dp is 0 for all classes but the true one. Which scores can move p at the true class, and which of them get a gradient here?",
        "∂p_j/∂s_k is p_j (1 − p_j) only for j = k. You have written the whole derivative in the lesson on the softmax.",
    ),
)
### END SPEC
