"""Linear layer
============

Every row of x is one sample; the layer maps its D features to M outputs:

    out = x w + b        x (N, D), w (D, M), b (M,)  →  out (N, M)

The backward pass takes dout, the gradient of the loss with respect to out, and gives the gradient with
respect to each input. Written for one entry: out[n, m] = Σ_d x[n, d] w[d, m] + b[m]. So x[n, d] reaches the
loss through row n of out only, w[d, m] through column m only, and b[m] through all of column m.
"""


def linear_forward(x, w, b):
    """out = x w + b.  x (N, D), w (D, M), b (M,) → out (N, M), cache."""
    ### BEGIN SOLUTION
    out = x @ w + b
    return out, (x, w)
    ### END SOLUTION


def linear_backward(dout, cache):
    """dout (N, M) → dx (N, D), dw (D, M), db (M,)."""
    ### BEGIN SOLUTION
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(0)
    return dx, dw, db
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import Cause, Layer, Lesson, at, edit, normal, standard

LESSON = Lesson(
    name="linear",
    title="The linear layer",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 to 6.47 and section 6.5.6",
    tasks=(
        Layer(
            "x[N,D] w[D,M] b[M] -> out[N,M]",
            oracle=lambda x, w, b: F.linear(x, w.T, b),
            sizes=dict(N=4, D=3, M=5),
            bench=dict(N=455, D=30, M=64),
            probes=(at("one output", M=1), at("inputs of 1000", x=normal(scale=1000))),
        ),
    ),
    mistakes=(
        *standard(
            "upstream ignored in dx",
            "dx negated",
            "dw transposed",
            "dw divided by N",
            "dw of the last row only",
        ),
        *standard("db averaged", "db summed over everything", "db not summed", "db of the last row only"),
        edit(
            "dw = x.T @ dout",
            "dw = x.T @ dout\n    dw = dw.T if dw.shape[0] == dw.shape[1] else dw",
            "dw transposed where it is square",
            Cause.TRANSPOSED,
        ),
    ),
    why="b[m] is added to every row and w[d, m] is multiplied into every row, so both collect the gradients of all rows; a row of x meets only its own row of out.",
    hints=(
        "Write the gradient of one entry first: how does out[n, m] change when x[n, d] does?",
        "Shapes narrow it down: dx must be (N, D), and you have dout (N, M) and w (D, M).",
        "b was copied to every row. A value that is used N times collects the gradients of all N uses.",
    ),
)
### END SPEC
