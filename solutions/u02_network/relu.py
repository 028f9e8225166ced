"""Relu
====

The rectified linear unit keeps what is positive and silences the rest, entry by entry:

    out = max(x, 0)      x of any shape  →  out of the same shape

Each output depends on one input only, with slope 1 where x > 0 and 0 where x < 0. The gradient dout of the loss with respect to out
therefore passes where the unit was on, and stops where it was off. As out is never negative, this slope is sign(out).

Convention: at x = 0 there is no slope. This course takes relu'(0) = 0, as torch does. Neither x nor dout is changed in place.
"""

import torch


def relu_forward(x):
    """out = max(x, 0).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    out = x.clamp(min=0)
    return out, out
    ### END SOLUTION


def relu_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    out = cache
    return dout * torch.sign(out)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import away_from_zero, literal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

AT_ZERO = Convention("ties", "relu has no slope at 0; the course takes relu'(0) = 0, as torch does: x > 0 and not x >= 0.")


def oracle(x):
    return torch.nn.functional.relu(x)


def _inclusive_forward(x):
    return x.clamp(min=0), x


def _inclusive_backward(dout, cache):
    return dout * (cache >= 0)


def _mutating_backward(dout, cache):
    dout[cache <= 0] = 0
    return dout


def _loops_forward(x):
    values = [value if value > 0 else 0.0 for value in x.reshape(-1).tolist()]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape), x.tolist()


def _loops_backward(dout, cache):
    def gate(gradient, value):
        if isinstance(value, list):
            return [gate(g, v) for g, v in zip(gradient, value, strict=True)]
        return gradient if value > 0 else 0.0

    return torch.tensor(gate(dout.tolist(), cache), dtype=dout.dtype)


def _masked_forward(x):
    out = x.clone()
    off = x <= 0
    out[off] = 0
    return out, {"off": off}


def _masked_backward(dout, cache):
    dx = dout.clone()
    dx[cache["off"]] = 0
    return dx


def _where_forward(x):
    def backward(dout):
        return torch.where(x > 0, dout, torch.zeros_like(dout))

    return torch.where(x > 0, x, torch.zeros_like(x)), backward


def _where_backward(dout, cache):
    return cache(dout)


def _half_forward(x):
    return (x + x.abs()) / 2, x.sign()


def _half_backward(dout, cache):
    return dout * cache * (cache + 1) / 2


LESSON = Lesson(
    name="relu",
    title="The rectified linear unit",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 6.3.1; Nair and Hinton (2010)",
    requires=("linear",),
    forbids=("relu", "relu_", "threshold", "threshold_"),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "relu",
            wrt=("x",),
            oracle=oracle,
            bench=probe("455 rows, 64 features", x=away_from_zero(455, 64)),
            probes=(
                probe("4 rows, 5 features", x=away_from_zero(4, 5)),
                probe("batch of one", x=away_from_zero(1, 7)),
                probe("one axis", x=away_from_zero(6)),
                probe("three axes", x=away_from_zero(2, 3, 4)),
                probe("non-contiguous", x=transposed(away_from_zero(5, 3))),
                probe("every unit on", x=literal([[1.0, 2.0, 0.5], [3.0, 0.25, 4.0]])),
                probe("every unit off", x=literal([[-1.0, -2.0, -0.5], [-3.0, -0.25, -4.0]])),
                probe("inputs of 1e-8 and 1e8", x=literal([[1e-8, -1e-8, 1e8], [-1e8, 2.0, -2.0]])),
                probe("exactly zero", x=literal([[0.0, -1.5, 2.0], [1.0, 0.0, -0.0]]), convention=AT_ZERO),
            ),
        ),
    ),
    mistakes=(
        mistake("gradient 1 at zero", "ties", relu_forward=_inclusive_forward, relu_backward=_inclusive_backward),
        mistake("mask forgotten", "mask_missing", "dout * torch.sign(out)", "dout.clone()"),
        mistake("mask the wrong way round", "mask_inverted", "torch.sign(out)", "(1 - torch.sign(out))"),
        mistake("mask from dout", "nonlinear_in_upstream", "torch.sign(out)", "(dout > 0)"),
        mistake("upstream ignored", "ignores_upstream", "dout * torch.sign(out)", "torch.sign(out)"),
        mistake("dout overwritten", "mutates_input", relu_backward=_mutating_backward),
        mistake("x overwritten", "mutates_input", "x.clamp(min=0)", "x.clone().clamp_(min=0); x.clamp_(min=0)"),
        mistake("keeps the magnitude", "mask_missing", "x.clamp(min=0)", "x.abs()"),
    ),
    variants=(
        variant("python numbers", relu_forward=_loops_forward, relu_backward=_loops_backward),
        variant("mask assignment", relu_forward=_masked_forward, relu_backward=_masked_backward),
        variant("where, and a closure as cache", relu_forward=_where_forward, relu_backward=_where_backward),
        variant("half of x + |x|", relu_forward=_half_forward, relu_backward=_half_backward),
    ),
    hints=(
        "Every entry stands alone: what is the slope of max(x, 0) to the right of 0, and to its left?",
        "The slope depends on x, not on dout, so the forward pass must put x (or where it was positive) into the cache.",
        "Multiply dout by a mask that is 1 where x > 0 and 0 elsewhere; a comparison gives you that mask.",
    ),
)
### END SPEC
