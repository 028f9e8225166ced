"""Multiclass hinge loss: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _pushed_at_zero_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)} need one class index a row, got y {tuple(y.shape)}")
    m = scores - scores.gather(1, y[:, None]) + 1
    return m.clamp(min=0).scatter(1, y[:, None], 0).sum() / len(y), (m, y)


def _pushed_at_zero_backward(dout, cache):
    m, y = cache
    pushed = ((m >= 0) * (dout / len(y))).scatter(1, y[:, None], 0)
    return pushed.scatter(1, y[:, None], -pushed.sum(1, keepdim=True))


def _worst_class_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    rows = torch.arange(len(y))
    margins = (scores - scores[rows, y][:, None] + 1).clamp(min=0)
    margins[rows, y] = 0
    largest = margins == margins.max(1, keepdim=True).values
    margins = margins * largest
    return margins.sum() / len(y), (margins, y)


def _class_mean_forward(scores, y):
    loss, cache = _counted_forward(scores, y)
    return loss / scores.shape[1], cache


def _class_mean_backward(dout, cache):
    return _counted_backward(dout, cache) / cache[0].shape[1]


def _loops_forward(scores, y):
    if y.dim() != 1 or len(y) != len(scores):
        raise ValueError(f"expected one index a row: scores {tuple(scores.shape)}, y {tuple(y.shape)}")
    total = torch.zeros((), dtype=scores.dtype)
    broken = []
    for n, right in enumerate(y.tolist()):
        for c in range(scores.shape[1]):
            margin = scores[n, c] - scores[n, right] + 1
            if c != right and margin > 0:
                total = total + margin
                broken.append((n, c, right))
    return total / len(y), (broken, scores.shape)


def _loops_backward(dout, cache):
    broken, shape = cache
    dscores = torch.zeros(shape, dtype=dout.dtype)
    for n, wrong, right in broken:
        dscores[n, wrong] += 1
        dscores[n, right] -= 1
    return dscores.div_(shape[0]).mul_(dout)


def _counted_forward(scores, y):
    if y.shape != scores.shape[:1]:
        raise ValueError(f"scores {list(scores.shape)}, y {list(y.shape)}")
    onehot = torch.zeros_like(scores).scatter_(1, y.reshape(-1, 1), 1.0)
    right = (scores * onehot).sum(1, keepdim=True)
    margins = torch.relu(scores - right + 1 - onehot)
    return margins.sum(1).mean(), (margins, onehot)


def _counted_backward(dout, cache):
    margins, onehot = cache
    broken = torch.where(margins > 0, torch.ones_like(margins), torch.zeros_like(margins)) * (1 - onehot)
    return (broken - onehot * broken.sum(1, keepdim=True)) * (dout / len(margins))


def _gathered_forward(scores, y):
    if tuple(y.shape) != (scores.shape[0],):
        raise ValueError(f"y {tuple(y.shape)} does not fit scores {tuple(scores.shape)}")
    margins = scores - scores.gather(1, y.unsqueeze(1)) + 1.0
    wrong = torch.ones_like(scores, dtype=torch.bool)
    wrong[torch.arange(len(y)), y] = False
    active = wrong & (margins > 0)
    return margins[active].sum() / len(y), {"active": active, "y": y}


def _gathered_backward(dout, cache):
    active, y = cache["active"], cache["y"]
    dscores = active.to(dout.dtype) * dout / len(y)
    return dscores.scatter_add(1, y.unsqueeze(1), -dscores.sum(1, keepdim=True))


VARIANTS = (
    variant("loops", hinge_forward=_loops_forward, hinge_backward=_loops_backward),
    variant("one-hot rows", hinge_forward=_counted_forward, hinge_backward=_counted_backward),
    variant("gather and scatter", hinge_forward=_gathered_forward, hinge_backward=_gathered_backward),
)
WRONG = (
    variant(
        "margin of exactly 0 pushed",
        hinge_forward=_pushed_at_zero_forward,
        hinge_backward=_pushed_at_zero_backward,
    ),
    variant("only the worst class", hinge_forward=_worst_class_forward),
    variant(
        "mean over classes, in both passes",
        hinge_forward=_class_mean_forward,
        hinge_backward=_class_mean_backward,
    ),
)
