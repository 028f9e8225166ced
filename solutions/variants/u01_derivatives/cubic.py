"""Cubic: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _loops_forward(x):
    values = [float(value) for value in x.flatten()]
    return torch.tensor([value * (value * value + 4) for value in values], dtype=x.dtype).reshape(
        x.shape
    ), values


def _loops_backward(dout, cache):
    dx = dout.clone().flatten()
    for position, value in enumerate(cache):
        dx[position] *= 4 + 3 * value * value
    return dx.reshape(dout.shape)


def _terms_forward(x):
    squared = x * x
    return squared * x + x + x + x + x, (x, squared)


def _terms_backward(dout, cache):
    x, squared = cache
    through_cube = dout * squared + dout * x * x + dout * squared
    return [through_cube + 4 * dout]


def _polynomial_forward(x):
    coefficients = torch.tensor([0.0, 4.0, 0.0, 1.0], dtype=x.dtype)
    powers = x[..., None] ** torch.arange(4)

    def backward(dout):
        slopes = (coefficients * torch.arange(4))[1:]
        return torch.einsum("...,...k,k->...", dout, powers[..., :-1], slopes)

    return powers @ coefficients, backward


def _polynomial_backward(dout, cache):
    return cache(dout)


def _no_linear_term_forward(x):
    return x**3, x


def _no_linear_term_backward(dout, cache):
    return dout * 3 * cache**2


VARIANTS = (
    variant("python numbers", cubic_forward=_loops_forward, cubic_backward=_loops_backward),
    variant("products only", cubic_forward=_terms_forward, cubic_backward=_terms_backward),
    variant(
        "any polynomial, a closure as cache",
        cubic_forward=_polynomial_forward,
        cubic_backward=_polynomial_backward,
    ),
)
WRONG = (
    variant(
        "4x forgotten in both passes",
        cubic_forward=_no_linear_term_forward,
        cubic_backward=_no_linear_term_backward,
    ),
)
