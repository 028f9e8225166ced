"""Write the test: cross-entropy: other right ways to write it."""

import math

import torch

from autograd_check.course import variant


def _by_formula(forward, backward, *, generator):
    """Compares with a cross-entropy of its own instead of finite differences, and asserts."""
    for rows, classes in ((6, 3), (1, 5), (2, 4)):
        for scale in (1.0, 1000.0):
            scores = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
            y = torch.zeros(rows, dtype=torch.int64)
            y[0] = classes - 2
            copy = scores.clone()
            for size in (1.0, -0.5):
                dout = torch.tensor(size, dtype=torch.float64)
                loss, cache = forward(scores, y)
                p = torch.softmax(copy, 1)
                onehot = torch.nn.functional.one_hot(y, classes)
                assert torch.allclose(loss, torch.logsumexp(copy, 1).mean() - (copy * onehot).sum() / rows)
                dscores = backward(dout, cache)
                assert dscores.shape == p.shape
                assert torch.allclose(dscores, dout * (p - onehot) / rows, rtol=1e-6, atol=1e-12)
                assert torch.equal(copy, scores)
    return True


def _by_literals(forward, backward, *, generator):
    """A few cases worked out by hand, two of them with one row; the answer is a tensor."""
    half = math.log(2)
    cases = (
        (
            [[0.0, 0.0, -1000.0], [1000.0, 1000.0, 0.0]],
            [0, 1],
            half,
            [[-0.25, 0.25, 0.0], [0.25, -0.25, 0.0]],
        ),
        (
            [[1000.0, 0.0], [0.0, -1000.0], [0.0, 1000.0]],
            [1, 0, 0],
            2000 / 3,
            [[1 / 3, -1 / 3], [0.0, 0.0], [-1 / 3, 1 / 3]],
        ),
        ([[0.0, 0.0]], [0], half, [[-0.5, 0.5]]),
        ([[0.0, math.log(2), math.log(5)]], [1], math.log(4), [[0.125, -0.75, 0.625]]),
        (
            [[math.log(3), 0.0], [0.0, 0.0], [0.0, math.log(3)]],
            [0, 0, 0],
            math.log(4 / 3 * 2 * 4) / 3,
            [[-1 / 12, 1 / 12], [-1 / 6, 1 / 6], [-1 / 4, 1 / 4]],
        ),
    )
    fine = torch.tensor(True)
    for entries, targets, right, slopes in cases:
        scores, y = torch.tensor(entries, dtype=torch.float64), torch.tensor(targets)
        before = scores.clone()
        for size in (1.0, -3.0):
            loss, cache = forward(scores, y)
            dscores = backward(torch.tensor(size, dtype=torch.float64), cache)
            wanted = size * torch.tensor(slopes, dtype=torch.float64)
            if dscores.shape != wanted.shape:
                return torch.tensor(False)
            fine = (
                fine & ((loss - right).abs() < 1e-9 * (1 + right)) & ((dscores - wanted).abs() < 1e-9).all()
            )
            fine = fine & (before == scores).all()
    return fine


def _by_directions(forward, backward, *, generator):
    """Differences along random directions, many of them, and the value from its definition."""

    def value(scores, y):
        rows = [
            max(row) + math.log(sum(math.exp(s - max(row)) for s in row)) - row[t]
            for row, t in zip(scores.tolist(), y.tolist(), strict=True)
        ]
        return sum(rows) / len(rows)

    for attempt in range(30):
        rows, classes = ((4, 3), (1, 3), (2, 6))[attempt % 3]
        scale = 1000.0 if attempt % 5 == 4 else 1.0
        scores = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
        y = torch.randint(classes - 1, (rows,), generator=generator)
        direction = torch.randn(scores.shape, generator=generator, dtype=torch.float64)
        dout = torch.randn((), generator=generator, dtype=torch.float64) - 1
        kept = scores.clone()
        loss, cache = forward(scores, y)
        dscores = backward(dout, cache)
        if (
            not torch.equal(kept, scores)
            or dscores.shape != scores.shape
            or abs(loss.item() - value(scores, y)) > 1e-9 * scale
        ):
            return False
        slope = (value(scores + 1e-5 * direction, y) - value(scores - 1e-5 * direction, y)) / 2e-5
        if abs(dout.item() * slope - (dscores * direction).sum().item()) > 1e-7 * scale:
            return False
    return True


VARIANTS = (
    variant("by formula, with asserts", check_cross_entropy=_by_formula),
    variant("cases worked out by hand", check_cross_entropy=_by_literals),
    variant("along random directions", check_cross_entropy=_by_directions),
)
