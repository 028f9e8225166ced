"""The cross-entropy hunt
======================

A batch that does not fit into memory is cut into pieces, and the gradients of the pieces are added up. The
optimiser never knows: `micro`, the number of rows in a piece, is a matter of memory and of nothing else. Or
so it should be.

This classifier trains in that way. Its loss falls, its accuracy rises, and with micro = 30 or 60 on 120 rows
all is well. Then one more row is recorded, the 121st, and the same training ends elsewhere, with another loss
for every micro. Large training libraries shipped this very mistake for years, because everything looked
alive.

One mistake was planted. The layer and the loss are those of your earlier lessons, and right. Find it and fix
it.

Shapes: x (N, D), y (N,) class indices, w (D, C), b (C,). The loss is the mean over all N rows of their
cross-entropy; dw and db are its gradients.
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
    """x (N, D), y (N,) → w (D, C), b (C,), history [loss before each step, …]."""
    w = torch.zeros(x.shape[1], classes, dtype=x.dtype)
    b = torch.zeros(classes, dtype=x.dtype)
    history = []
    for _ in range(epochs):
        loss, dw, db = loss_and_gradients(x, y, w, b, micro=micro)
        w, b = w - lr * dw, b - lr * db
        history.append(float(loss))
    return w, b, history


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import Cause, Claim, Lesson, Properties, Property, all_hold, answer, close, edit

SIZES = ((12, 4, 3, 4), (13, 4, 3, 4), (7, 2, 5, 3), (1, 3, 4, 2), (11, 3, 2, 64), (5, 5, 5, 1), (9, 3, 4, 8))
"""N, D, C and micro: pieces that all have one size, a last piece of one row, one piece only, single rows."""
FLOAT32 = 1e-6
"""A share as `torch.tensor(4 / 13)` is rounded to float32, and no mistake in the gradient."""


def _point(seed, rows, features, classes):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    w = torch.randn(features, classes, generator=generator, dtype=torch.float64)
    b = torch.randn(classes, generator=generator, dtype=torch.float64)
    return x, torch.randint(classes, (rows,), generator=generator), w, b


def _right(x, y, w, b):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    with torch.enable_grad():
        loss = F.cross_entropy(x @ w + b, y)
        dw, db = torch.autograd.grad(loss, [w, b])
    return {"loss": loss.detach(), "dw": dw, "db": db}


SHARES = {
    "a mean of the pieces' means: a row in a short piece counts more.": lambda n, m, k, N: 1 / k,
    "a sum over all rows: the division by their number is missing.": lambda n, m, k, N: n,
    "a sum of the pieces' means: each needs its share of the rows.": lambda n, m, k, N: 1,
    "what it would be if every piece had micro rows: the last has fewer.": lambda n, m, k, N: m / N,
}
"""What one of k pieces may count: it has n of the N rows, and all but the last have m = micro."""
NEITHER = "neither that of the whole batch nor the planted one."


def _counted(share, subject, x, y, w, b, micro):
    pieces = list(zip(x.split(micro), y.split(micro), strict=True))
    shares = [share(len(rows), micro, len(pieces), len(x)) for rows, _ in pieces]
    return sum(part * _right(*piece, w, b)[subject] for part, piece in zip(shares, pieces, strict=True))


def _shaped(value, like):
    """A returned number, tensor, or list of numbers as a tensor of the right shape, else None."""
    if isinstance(value, (tuple, list)) and all(
        isinstance(each, (int, float, torch.Tensor)) for each in value
    ):
        value = torch.tensor([float(each) for each in value], dtype=like.dtype)
    if not isinstance(value, (int, float, torch.Tensor)):
        return None
    value = torch.as_tensor(value, dtype=like.dtype)
    return value if value.shape == like.shape else None


def _three(value):
    return value if isinstance(value, (tuple, list)) and len(value) == 3 else (None, None, None)


def _of_all_rows(subject, position):
    """The claim that one of (loss, dw, db) is that of the whole batch, for every size of the pieces."""

    def claim(point, micro, candidate):
        right = _right(*point)[subject]
        value = answer(candidate, "loss_and_gradients", *point, micro=micro)
        got = _shaped(_three(value)[position], right)
        if got is None:
            says = f"loss_and_gradients must return (loss, dw, db), with {subject} of shape {tuple(right.shape)}."
            return Claim(says, Cause.WRONG_SHAPE)
        if close(got, right, FLOAT32):
            return Claim("right")
        evidence = {"rows": len(point[0]), "micro": micro, "got": got.tolist(), "expected": right.tolist()}
        what = f"With {len(point[0])} rows and micro = {micro}, {subject} is"
        counted = {says: _counted(share, subject, *point, micro) for says, share in SHARES.items()}
        says = next((says for says, value in counted.items() if close(got, value, FLOAT32)), NEITHER)
        cause = Cause.MEAN_FOR_SUM if "short piece" in says else Cause.UNKNOWN
        return Claim(f"{what} {says}", cause, evidence=evidence)

    def holds(candidate, seed):
        points = ((_point(seed * 31 + k, *sizes), micro) for k, (*sizes, micro) in enumerate(SIZES))
        claims = (claim(point, micro, candidate) for point, micro in points)
        return all_hold(claims, f"{subject} is that of the whole batch, however it is cut")

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


def micro_is_memory_only(candidate, seed):
    """60 epochs on 121 rows end as on the whole batch, whether a piece has 121, 40 or 17 rows."""
    x, y, _, _ = _point(seed + 500, 121, 3, 4)
    hyper = {"classes": 4, "lr": 0.5, "epochs": 60}
    expected = _trained(x, y, **hyper)

    def claims():
        for micro in (121, 40, 17):
            value = _three(answer(candidate, "fit", x, y, **hyper, micro=micro))
            parts = {
                name: _shaped(part, like) for part, (name, like) in zip(value, expected.items(), strict=True)
            }
            if None in [None if part is None else name for name, part in parts.items()]:
                says = "fit must return (w, b, history): here w (3, 4), b (4,), and one loss for each epoch."
                yield Claim(says, Cause.WRONG_SHAPE)
                return
            wrong = [name for name, part in parts.items() if not close(part, expected[name], FLOAT32)]
            if wrong and micro == 121:
                says = f"In one piece of 121 rows, fit's {wrong[0]} is not that of gradient descent; it was right as handed out."
                yield Claim(says, Cause.FORWARD_WRONG)
            elif wrong:
                says = f"With 121 rows, fit's {wrong[0]} is another one for micro = {micro} than for micro = 121."
                yield Claim(says, Cause.MEAN_FOR_SUM)

    return all_hold(claims(), "training does not depend on micro")


LESSON = Lesson(
    name="cross_entropy_hunt",
    title="The cross-entropy hunt",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 8.3 to 8.6: gradients of examples add up",
    requires=("cross_entropy", "linear"),
    forbids=("nll_loss",),
    given=True,
    minutes=20,
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
    mistakes=(
        edit("len(rows) / len(x)", "1 / len(pieces)", "as handed out", Cause.MEAN_FOR_SUM),
        edit(
            "loss + share * piece",
            "loss + piece / len(pieces)",
            "the loss still counts pieces",
            Cause.MEAN_FOR_SUM,
        ),
        edit(
            "backward(share",
            "backward(torch.ones_like(share) / len(pieces)",
            "the gradient still counts pieces",
            Cause.MEAN_FOR_SUM,
        ),
        edit("len(rows) / len(x)", "micro / len(x)", "shares of micro, not of the piece", Cause.UNKNOWN),
        edit("len(rows) / len(x)", "1.0", "not averaged at all", Cause.UNKNOWN),
        edit(
            "for rows, targets in pieces:",
            "for rows, targets in pieces[: max(1, len(x) // micro)]:",
            "the short piece left out",
            Cause.UNKNOWN,
        ),
        edit("dw + more_dw, db + more_db", "more_dw, more_db", "only the last piece", Cause.UNKNOWN),
    ),
    why="Pieces of different size count by their rows. The weight that the loss of a piece has in the total is the dout of its backward pass, so both must be the same number.",
    hints=(
        "Compare with micro = N on 4 rows and on 5, both with micro = 4. When do the gradients agree?",
        "Write the mean over 5 rows as a combination of the mean over 4 of them and the mean over the last one. What are the weights?",
        "The loss of a piece enters the total with a weight. That weight is the dout of the piece's backward pass.",
    ),
)
### END SPEC
