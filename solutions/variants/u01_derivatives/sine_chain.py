"""Sine chain: other right ways to write it."""

import cmath
import math

import torch

from autograd_check.course import variant


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    return torch.tensor([math.sin(value**2 + 1) for value in values], dtype=x.dtype).reshape(x.shape), values


def _loops_backward(dout, cache):
    slopes = [2 * value * math.cos(value**2 + 1) for value in cache]
    return torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape) * dout


def _tape_forward(x):
    tape = []

    def square(value):
        tape.append(lambda gradient: gradient * (value + value))
        return value.pow(2)

    def sine(value):
        tape.append(lambda gradient: gradient * value.cos())
        return value.sin()

    return sine(square(x) + 1), tape


def _tape_backward(dout, cache):
    for step in reversed(cache):
        dout = step(dout)
    return dout


def _addition_theorem_forward(x):
    sine, cosine = torch.sin(x * x), torch.cos(x * x)
    out = sine * math.cos(1) + cosine * math.sin(1)
    return out, {"slope": 2 * x * (cosine * math.cos(1) - sine * math.sin(1))}


def _addition_theorem_backward(dout, cache):
    return torch.mul(cache["slope"], dout)


def _complex_forward(x):
    wave = torch.exp(1j * (x * x)) * cmath.exp(1j)
    return wave.imag.clone().to(x.dtype), (wave, x)


def _complex_backward(dout, cache):
    wave, x = cache
    return (2 * x * wave.real * dout).to(dout.dtype)


def _product_forward(x):
    u = x**2 + 1
    return 2 * x * torch.cos(u), (x, u)


def _product_backward(dout, cache):
    x, u = cache
    return dout * (2 * torch.cos(u) - 4 * x**2 * torch.sin(u))


VARIANTS = (
    variant("math", sine_chain_forward=_loops_forward, sine_chain_backward=_loops_backward),
    variant("a tape of closures", sine_chain_forward=_tape_forward, sine_chain_backward=_tape_backward),
    variant(
        "addition theorem, the slope as cache",
        sine_chain_forward=_addition_theorem_forward,
        sine_chain_backward=_addition_theorem_backward,
    ),
    variant("the other reading", sine_chain_forward=_product_forward, sine_chain_backward=_product_backward),
    variant(
        "complex exponentials", sine_chain_forward=_complex_forward, sine_chain_backward=_complex_backward
    ),
)
