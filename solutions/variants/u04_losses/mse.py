"""Mean squared error: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _summed_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"p {tuple(p.shape)} and y {tuple(y.shape)} must have the same shape")
    return ((p - y) ** 2).sum(), p - y


def _summed_backward(dout, cache):
    return dout * 2 * cache


def _loops_forward(p, y):
    if list(p.shape) != list(y.shape):
        raise ValueError(f"shapes differ: {list(p.shape)} and {list(y.shape)}")
    differences = [a - b for a, b in zip(p.flatten().tolist(), y.flatten().tolist(), strict=True)]
    total = sum(d * d for d in differences)
    return torch.tensor(total / len(differences), dtype=p.dtype), (differences, p.shape)


def _loops_backward(dout, cache):
    differences, shape = cache
    slopes = [2 * d / len(differences) for d in differences]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(shape) * dout


def _dotted_forward(p, y):
    if p.size() != y.size():
        raise ValueError(f"p is {tuple(p.size())}, y is {tuple(y.size())}")
    r = (p - y).reshape(-1)

    def backward(dout):
        return (r * (dout / len(r)) * 2).view(*p.shape)

    return torch.dot(r, r) / len(r), backward


def _dotted_backward(dout, cache):
    return cache(dout)


def _expanded_forward(p, y):
    if p.shape != y.shape:
        raise ValueError(f"expected the shape {tuple(p.shape)} of p for y, got {tuple(y.shape)}")
    loss = torch.mean(p.square() - 2 * p * y + y.square())
    return loss, {"p": p, "y": y}


def _expanded_backward(dout, cache):
    dp = torch.zeros_like(cache["p"])
    dp += cache["p"]
    dp -= cache["y"]
    dp *= 2.0 / dp.numel()
    return [dp.mul_(dout)]


VARIANTS = (
    variant("python numbers", mse_forward=_loops_forward, mse_backward=_loops_backward),
    variant("a dot product, a closure as cache", mse_forward=_dotted_forward, mse_backward=_dotted_backward),
    variant(
        "the square multiplied out, in-place assembly",
        mse_forward=_expanded_forward,
        mse_backward=_expanded_backward,
    ),
)
WRONG = (variant("sum for mean, in both passes", mse_forward=_summed_forward, mse_backward=_summed_backward),)
