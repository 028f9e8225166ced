"""The cross-entropy hunt
======================

A batch that does not fit into memory is cut into pieces, and the gradients of the pieces are added up. The optimiser never knows: `micro`, the
number of rows in a piece, is a matter of memory and of nothing else. Or so it should be.

This classifier trains in that way. Its loss falls, its accuracy rises, and with micro = 30 or 60 on 120 rows all is well. Then one more row is
recorded, the 121st, and the same training ends elsewhere, with another loss for every micro. Large training libraries shipped this very mistake
for years, because everything looked alive.

One mistake was planted. The layer and the loss are those of your earlier lessons, and right. Find it and fix it.

Shapes: x (N, D), y (N,) class indices, w (D, C), b (C,). The loss is the mean over all N rows of their cross-entropy; dw and db are its gradients.
"""

import torch

from solutions.u02_network.linear import linear_backward, linear_forward
from solutions.u04_losses.cross_entropy import cross_entropy_backward, cross_entropy_forward


def loss_and_gradients(x, y, w, b, *, micro):
    """x (N, D), y (N,), w (D, C), b (C,), `micro` rows at a time → loss (), dw (D, C), db (C,)."""
    ### BEGIN SOLUTION
    pieces = list(zip(x.split(micro), y.split(micro), strict=True))
    loss, dw, db = torch.zeros((), dtype=x.dtype), torch.zeros_like(w), torch.zeros_like(b)
    for rows, targets in pieces:
        share = torch.tensor(len(rows) / len(x), dtype=x.dtype)
        scores, cache = linear_forward(rows, w, b)
        piece, loss_cache = cross_entropy_forward(scores, targets)
        dscores = cross_entropy_backward(share, loss_cache)
        _, more_dw, more_db = linear_backward(dscores, cache)
        loss, dw, db = loss + share * piece, dw + more_dw, db + more_db
    return loss, dw, db
    ### END SOLUTION
    ### BEGIN STUB
    # pieces = list(zip(x.split(micro), y.split(micro), strict=True))
    # loss, dw, db = torch.zeros((), dtype=x.dtype), torch.zeros_like(w), torch.zeros_like(b)
    # for rows, targets in pieces:
    #     share = torch.tensor(1 / len(pieces), dtype=x.dtype)
    #     scores, cache = linear_forward(rows, w, b)
    #     piece, loss_cache = cross_entropy_forward(scores, targets)
    #     dscores = cross_entropy_backward(share, loss_cache)
    #     _, more_dw, more_db = linear_backward(dscores, cache)
    #     loss, dw, db = loss + share * piece, dw + more_dw, db + more_db
    # return loss, dw, db
    ### END STUB


def fit(x, y, *, classes, lr, epochs, micro):
    """x (N, D), y (N,) → w (D, C), b (C,), history [loss, …] of length epochs, each measured before its step."""
    w = torch.zeros(x.shape[1], classes, dtype=x.dtype)
    b = torch.zeros(classes, dtype=x.dtype)
    history = []
    for _ in range(epochs):
        loss, dw, db = loss_and_gradients(x, y, w, b, micro=micro)
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

SIZES = ((12, 4, 3, 4), (13, 4, 3, 4), (7, 2, 5, 3), (1, 3, 4, 2), (11, 3, 2, 64), (5, 5, 5, 1), (9, 3, 4, 8))
"""N, D, C and micro: pieces that all have one size, a last piece of one row, one piece only, single rows."""


def _point(seed, rows, features, classes):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    w = torch.randn(features, classes, generator=generator, dtype=torch.float64)
    b = torch.randn(classes, generator=generator, dtype=torch.float64)
    return x, torch.randint(classes, (rows,), generator=generator), w, b


def _right(x, y, w, b):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    with torch.enable_grad():
        loss = torch.nn.functional.cross_entropy(x @ w + b, y)
        dw, db = torch.autograd.grad(loss, [w, b])
    return {"loss": loss.detach(), "dw": dw, "db": db}


def _mean_of_means(x, y, w, b, micro):
    """What the mistake as handed out yields: every piece counts alike, however few rows it has."""
    pieces = [
        _right(rows, targets, w, b) for rows, targets in zip(x.split(micro), y.split(micro), strict=True)
    ]
    return {
        subject: sum(piece[subject] for piece in pieces) / len(pieces) for subject in ("loss", "dw", "db")
    }


def _answer(candidate, function, *args, **kwargs):
    outcome = candidate.call(function, args, kwargs)
    if not outcome.ok:
        raise Unanswered(outcome.failure, function)
    return outcome.value


def _close(got, expected):
    """Equal to float32: a share as `torch.tensor(4 / 13)` is rounded, and no mistake in the gradient."""
    return float((got - expected).abs().max()) <= 1e-6 * (1e-3 + float(expected.abs().max()))


def _shaped(value, like):
    """A returned number or tensor as a tensor of the right shape, else None."""
    if not isinstance(value, (int, float, torch.Tensor)):
        return None
    value = torch.as_tensor(value, dtype=like.dtype)
    return value if value.shape == like.shape else None


def _three(value):
    return value if isinstance(value, (tuple, list)) and len(value) == 3 else (None, None, None)


def _of_all_rows(subject, position):
    """The claim that one of (loss, dw, db) is that of the whole batch, for every size of the pieces."""

    def holds(candidate, seed):
        for number, (*sizes, micro) in enumerate(SIZES):
            point = _point(seed * 31 + number, *sizes)
            right = _right(*point)[subject]
            got = _shaped(
                _three(_answer(candidate, "loss_and_gradients", *point, micro=micro))[position], right
            )
            if got is None:
                says = f"loss_and_gradients must return (loss, dw, db), with {subject} of shape {tuple(right.shape)}."
                return Claim(says, "wrong_shape")
            if _close(got, right):
                continue
            evidence = {"rows": sizes[0], "micro": micro, "got": got.tolist(), "expected": right.tolist()}
            if _close(got, _mean_of_means(*point, micro)[subject]):
                says = f"With {sizes[0]} rows and micro = {micro}, {subject} is a mean of the pieces' means: a row in a short piece counts more."
                return Claim(says, "mean_for_sum", evidence=evidence)
            says = f"With {sizes[0]} rows and micro = {micro}, {subject} is neither that of the whole batch nor the planted one."
            return Claim(says, "unknown", evidence=evidence)
        return Claim(f"{subject} is that of the whole batch, however it is cut")

    return holds


def _trained(x, y, *, classes, lr, epochs):
    """Gradient descent on the whole batch: w, b, and the loss before every step."""
    w, b = torch.zeros(x.shape[1], classes, dtype=x.dtype), torch.zeros(classes, dtype=x.dtype)
    history = []
    for _ in range(epochs):
        right = _right(x, y, w, b)
        history.append(right["loss"])
        w, b = w - lr * right["dw"], b - lr * right["db"]
    return {"w": w, "b": b, "history": torch.stack(history)}


def _parts(value, expected):
    """What fit returned, as tensors of the right shapes, else None."""
    w, b, history = _three(value)
    if isinstance(history, (list, tuple)) and all(
        isinstance(loss, (int, float, torch.Tensor)) for loss in history
    ):
        history = torch.tensor([float(loss) for loss in history], dtype=torch.float64)
    parts = {"w": w, "b": b, "history": history}
    right = all(
        isinstance(part, torch.Tensor) and part.shape == expected[name].shape for name, part in parts.items()
    )
    return parts if right else None


def micro_is_memory_only(candidate, seed):
    """Trained for 60 epochs on 121 rows, all comes out as on the whole batch, whether a piece has 121, 40 or 17 rows."""
    x, y, _, _ = _point(seed + 500, 121, 3, 4)
    hyper = {"classes": 4, "lr": 0.5, "epochs": 60}
    expected = _trained(x, y, **hyper)
    for micro in (121, 40, 17):
        parts = _parts(_answer(candidate, "fit", x, y, **hyper, micro=micro), expected)
        if parts is None:
            says = "fit must return (w, b, history): w (3, 4) and b (4,) for 3 features and 4 classes, and one loss for each epoch."
            return Claim(says, "wrong_shape")
        wrong = [name for name, part in parts.items() if not _close(part, expected[name])]
        if wrong and micro == 121:
            says = f"In one piece of 121 rows, fit's {wrong[0]} is not that of gradient descent; it was right as handed out."
            return Claim(says, "forward_wrong")
        if wrong:
            return Claim(
                f"With 121 rows, fit's {wrong[0]} is another one for micro = {micro} than for micro = 121.",
                "mean_for_sum",
            )
    return Claim("training does not depend on micro")


def _summed(x, y, w, b, *, micro):
    loss, dw, db = 0.0, 0.0, 0.0
    for start in range(0, len(x), micro):
        rows, targets = x[start : start + micro], y[start : start + micro]
        scores, cache = linear_forward(rows, w, b)
        piece, loss_cache = cross_entropy_forward(scores, targets)
        _, more_dw, more_db = linear_backward(
            cross_entropy_backward(torch.ones_like(piece), loss_cache), cache
        )
        loss, dw, db = loss + piece * len(rows), dw + more_dw * len(rows), db + more_db * len(rows)
    return loss / len(x), dw / len(x), db / len(x)


def _at_once(x, y, w, b, *, micro):
    p = torch.softmax(torch.cat([rows @ w + b for rows in x.split(micro)]), 1)
    loss = -p[torch.arange(len(y)), y].log().sum() / len(y)
    p[torch.arange(len(y)), y] -= 1
    dw = torch.stack(
        [rows.T @ pushes for rows, pushes in zip(x.split(micro), p.split(micro), strict=True)]
    ).sum(0)
    return [loss, dw / len(y), p.mean(0)]


def _bench(hunt):
    point = _point(0, 455, 30, 10)
    return lambda: hunt["loss_and_gradients"](*point, micro=455), lambda: _right(*point)


LESSON = Lesson(
    name="cross_entropy_hunt",
    title="The cross-entropy hunt",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 8.3 to 8.6: the gradient of a sum over examples is the sum of their gradients",
    requires=("cross_entropy", "linear"),
    forbids=("nll_loss",),
    points=10,
    minutes=20,
    given=True,
    tasks=(
        Properties(
            functions=("loss_and_gradients", "fit"),
            properties=(
                Property("gradient of w", _of_all_rows("dw", 1), subject="dw"),
                Property("gradient of b", _of_all_rows("db", 2), subject="db"),
                Property("loss", _of_all_rows("loss", 0), subject="loss"),
                Property("micro is memory only", micro_is_memory_only, subject="fit"),
            ),
        ),
    ),
    benchmarks=(Benchmark("forward+backward", "455 rows, 30 features, 10 classes, one piece", _bench),),
    target=None,
    mistakes=(
        mistake("as handed out", "mean_for_sum", "len(rows) / len(x)", "1 / len(pieces)"),
        mistake(
            "the loss still counts pieces",
            "mean_for_sum",
            "loss + share * piece",
            "loss + piece / len(pieces)",
        ),
        mistake(
            "the gradient still counts pieces",
            "mean_for_sum",
            "backward(share",
            "backward(torch.ones_like(share) / len(pieces)",
        ),
        mistake("shares of micro, not of the piece", "unknown", "len(rows) / len(x)", "micro / len(x)"),
        mistake("not averaged at all", "unknown", "len(rows) / len(x)", "1.0"),
        mistake(
            "the short piece left out",
            "unknown",
            "for rows, targets in pieces:",
            "for rows, targets in pieces[: max(1, len(x) // micro)]:",
        ),
        mistake("only the last piece", "unknown", "dw + more_dw, db + more_db", "more_dw, more_db"),
    ),
    variants=(
        variant("sums, divided at the end", loss_and_gradients=_summed),
        variant("self-contained", loss_and_gradients=_at_once),
    ),
    hints=(
        "Compare with micro = N on 4 rows and on 5, both with micro = 4. When do the gradients agree?",
        "Write the mean over 5 rows as a combination of the mean over 4 of them and the mean over the last one. What are the weights?",
        "The loss of a piece enters the total with a weight. That weight is the dout of the piece's backward pass.",
    ),
)
### END SPEC
