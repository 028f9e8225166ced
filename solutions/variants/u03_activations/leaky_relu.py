"""Leaky relu: other right ways to write it."""

import torch

from autograd_check.course import variant


def _loops_forward(x, *, slope=0.01):
    slopes = [1.0 if value > 0 else slope for value in x.reshape(-1).tolist()]
    values = [value * factor for value, factor in zip(x.reshape(-1).tolist(), slopes, strict=True)]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), slopes


def _loops_backward(dout, cache):
    dx = dout.clone().reshape(-1)
    for position, factor in enumerate(cache):
        dx[position] *= factor
    return dx.reshape(dout.shape)


def _maximum_forward(x, *, slope=0.01):
    out = torch.maximum(x, slope * x)
    on = (out > 0).to(x.dtype)
    return out, lambda dout: dout * (on + slope * (1 - on))


def _maximum_backward(dout, cache):
    return cache(dout)


def _masked_forward(x, *, slope=0.01):
    off = x <= 0
    out = x.clone()
    out[off] *= slope
    return out, {"off": off, "slope": slope}


def _masked_backward(dout, cache):
    dx = dout.clone()
    dx[cache["off"]] = dx[cache["off"]] * cache["slope"]
    return dx


def _two_relus_forward(x, *, slope=0.01):
    return x.clamp(min=0) + slope * x.clamp(max=0), (x.sign(), slope)


def _two_relus_backward(dout, cache):
    sign, slope = cache
    return dout * slope + dout * (1 - slope) * sign.clamp(min=0)


VARIANTS = (
    variant("python numbers", leaky_relu_forward=_loops_forward, leaky_relu_backward=_loops_backward),
    variant(
        "maximum, a closure as cache",
        leaky_relu_forward=_maximum_forward,
        leaky_relu_backward=_maximum_backward,
    ),
    variant("mask assignment", leaky_relu_forward=_masked_forward, leaky_relu_backward=_masked_backward),
    variant("two relus", leaky_relu_forward=_two_relus_forward, leaky_relu_backward=_two_relus_backward),
)
