"""Scaled sum
==========

Rows added up with weights, times a factor:

    outₙ = scale · Σ_d x[n, d] w[d]      x (N, D), w (D,)  →  out (N,)

One weight serves every row, and one entry of x one row only.
"""


def scaled_sum_forward(x, w, *, scale=2.0):
    """out = scale · x w.  x (N, D), w (D,) → out (N,), cache."""
    ### BEGIN SOLUTION
    out = scale * (x @ w)
    return out, (x, w, scale)
    ### END SOLUTION


def scaled_sum_backward(dout, cache):
    """dout (N,) → dx (N, D), dw (D,)."""
    ### BEGIN SOLUTION
    x, w, scale = cache
    dx = scale * dout[:, None] * w
    dw = scale * (dout @ x)
    return dx, dw
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course import Cause, Layer, Lesson, at, edge, edit, standard

LESSON = Lesson(
    name="scaled_sum",
    title="A scaled sum",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 2.27",
    requires=(),
    tasks=(
        Layer(
            "x[N,D] w[D] -> out[N]",
            oracle=lambda x, w, *, scale=2.0: torch.mv(x, w) * scale,
            sizes=dict(N=5, D=3),
            probes=(at(scale=0.5), at(scale=-1.0), edge("a weight of 0", w=[0.0, -1.0, 2.0])),
        ),
    ),
    mistakes=(
        *standard("upstream ignored", "dw divided by N", "dx negated"),
        edit("scale * dout[:, None]", "dout[:, None]", "scale forgotten in dx", Cause.CONSTANT_FACTOR),
        edit("scale * (dout @ x)", "dout @ x", "scale forgotten in dw", Cause.CONSTANT_FACTOR),
    ),
    why="An entry of out is a sum of products, so each factor gets the other one, times scale and dout.",
    hints=(
        "Write one entry of out, and differentiate it by one entry of x.",
        "A weight is used in every row: what it is used for adds up.",
        "scale is a factor of both gradients.",
    ),
)
### END SPEC
