"""Leaky relu
==========

A relu that never quite switches off, so that a unit which is off still learns:

    out = x          where x > 0
    out = slope · x  elsewhere       x of any shape  →  out of the same shape,  0 ≤ slope < 1

The derivative is 1 to the right of 0 and slope to its left; dout passes in full, or scaled by slope. So out is x times its own derivative, and
the sign of x (1, 0 or −1), raised to slope where it is less, is that derivative.

Convention: at x = 0 the left branch counts: the derivative there is slope, as in torch.
"""

import torch


def leaky_relu_forward(x, *, slope=0.01):
    """out = x where x > 0, else slope · x.  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    slopes = x.sign().clamp(min=slope)
    return slopes * x, slopes
    ### END SOLUTION


def leaky_relu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    slopes = cache
    return slopes * dout
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import away_from_zero, distinct, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

AT_ZERO = Convention(
    "ties",
    "leaky relu has two slopes at 0; the course takes the left one, as torch does, so use x > 0 and not x >= 0.",
)


def oracle(x, *, slope=0.01):
    return torch.nn.functional.leaky_relu(x, slope)


def _mutating_backward(dout, cache):
    dout *= cache
    return dout


def _fixed_backward(dout, cache):
    return torch.where(cache == 1, dout, 0.01 * dout)


def _mask_of_dout_backward(dout, cache):
    return torch.where(dout > 0, dout, cache.min() * dout)


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


LESSON = Lesson(
    name="leaky_relu",
    title="The leaky relu",
    source="Maas, Hannun, Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013), eq. 2",
    requires=("relu",),
    forbids=("leaky_relu", "prelu", "rrelu"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "leaky_relu",
            wrt=("x",),
            oracle=oracle,
            bench=probe("256 × 256", x=normal(256, 256)),
            probes=(
                probe("4 rows, 5 features", x=distinct(4, 5)),
                probe("slope 0.25", x=away_from_zero(3, 5), hyper={"slope": 0.25}),
                probe("slope 0.75, three axes", x=away_from_zero(2, 3, 4), hyper={"slope": 0.75}),
                probe("slope 0, a relu", x=away_from_zero(5, 2), hyper={"slope": 0.0}),
                probe("batch of one", x=away_from_zero(1, 7), hyper={"slope": 0.375}),
                probe("one axis", x=distinct(6)),
                probe("non-contiguous", x=transposed(away_from_zero(5, 3)), hyper={"slope": 0.125}),
                probe(
                    "every unit off",
                    x=literal([[-1.0, -2.0, -0.5], [-3.0, -0.25, -4.0]]),
                    hyper={"slope": 0.0625},
                ),
                probe("inputs of 1e-8 and 1e8", x=literal([[1e-8, -1e-8, 1e8], [-1e8, 2.0, -2.0]])),
                probe(
                    "exactly zero",
                    x=literal([[0.0, -1.5, 2.0], [1.0, 0.0, -0.0]]),
                    hyper={"slope": 0.25},
                    convention=AT_ZERO,
                ),
            ),
        ),
    ),
    mistakes=(
        mistake(
            "the right branch at zero",
            "ties",
            "x.sign().clamp(min=slope)",
            "torch.where(x >= 0, torch.ones_like(x), slope)",
        ),
        mistake(
            "an ordinary relu backwards",
            "missing_term",
            "return slopes * dout",
            "return slopes.floor() * dout",
        ),
        mistake(
            "slope fixed at 0.01", "consistent_with_wrong_forward", "clamp(min=slope)", "clamp(min=0.01)"
        ),
        mistake("slope fixed at 0.01 in the backward", "wrong_operand", leaky_relu_backward=_fixed_backward),
        mistake(
            "slope of the input on the left",
            "wrong_operand",
            "slopes * x, slopes",
            "slopes * x, torch.where(x > 0, 1.0, slope * x)",
        ),
        mistake(
            "mask the wrong way round",
            "mask_inverted",
            "slopes * x, slopes",
            "slopes * x, (-x).sign().clamp(min=slope)",
        ),
        mistake("mask from dout", "nonlinear_in_upstream", leaky_relu_backward=_mask_of_dout_backward),
        mistake("leak forgotten backwards", "missing_term", "return slopes * dout", "return dout.clone()"),
        mistake("upstream ignored", "ignores_upstream", "return slopes * dout", "return slopes.clone()"),
        mistake("dout overwritten", "mutates_input", leaky_relu_backward=_mutating_backward),
        mistake("the sign of the leak", "sign", "return slopes * x,", "return slopes * x.abs(),"),
    ),
    variants=(
        variant("python numbers", leaky_relu_forward=_loops_forward, leaky_relu_backward=_loops_backward),
        variant(
            "maximum, a closure as cache",
            leaky_relu_forward=_maximum_forward,
            leaky_relu_backward=_maximum_backward,
        ),
        variant("mask assignment", leaky_relu_forward=_masked_forward, leaky_relu_backward=_masked_backward),
        variant("two relus", leaky_relu_forward=_two_relus_forward, leaky_relu_backward=_two_relus_backward),
    ),
    hints=(
        "Draw the function: two half-lines that meet at 0. What is the slope of each?",
        "The slope is a hyperparameter: whatever value the forward pass was given, the backward pass must use, so it belongs into the cache.",
        "torch.where(condition, a, b) takes entries of a where the condition holds and of b elsewhere. Which array of slopes do both passes multiply by?",
    ),
)
### END SPEC
