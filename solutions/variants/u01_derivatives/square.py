"""Square: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    return torch.tensor([value**2 for value in values], dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    pairs = zip(dout.reshape(-1).tolist(), cache, strict=True)
    return torch.tensor([2 * value * slope for slope, value in pairs], dtype=dout.dtype).reshape(dout.shape)


def _closure_forward(x):
    return torch.pow(x, 2), lambda dout: torch.einsum("...,...->...", dout, x + x)


def _closure_backward(dout, cache):
    return cache(dout)


def _product_rule_forward(x):
    left, right = x.clone(), x.clone()
    return left.mul(right), {"left": left, "right": right}


def _product_rule_backward(dout, cache):
    dx = torch.zeros_like(dout)
    dx += dout * cache["right"]
    dx += dout * cache["left"]
    return (dx,)


def _early_backward(dout, cache):
    dx = torch.zeros_like(cache)
    for row in range(len(cache)):
        dx[row] = dout[row] * 2 * cache[row]
        if row == 0:
            break
    return dx


VARIANTS = (
    variant("python numbers", square_forward=_loops_forward, square_backward=_loops_backward),
    variant("einsum, a closure as cache", square_forward=_closure_forward, square_backward=_closure_backward),
    variant(
        "the product rule, in two steps",
        square_forward=_product_rule_forward,
        square_backward=_product_rule_backward,
    ),
)
WRONG = (variant("return inside the loop", square_backward=_early_backward),)
