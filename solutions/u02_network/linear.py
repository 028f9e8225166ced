"""Linear layer
============

Every row of x is one sample; the layer maps its D features to M outputs:

    out = x w + b        x (N, D), w (D, M), b (M,)  →  out (N, M)

The backward pass takes dout, the gradient of the loss with respect to out, and gives the gradient with respect to each
input. Written for one entry: out[n, m] = Σ_d x[n, d] w[d, m] + b[m]. So x[n, d] reaches the loss through row n of out
only, w[d, m] through column m only, and b[m] through all of column m.
"""

import torch


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
    dw = (dout.T @ x).T
    db = dout.sum(0)
    return dx, dw, db
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w, b):
    return torch.nn.functional.linear(x, w.T, b)


def _loops_forward(x, w, b):
    out = torch.zeros(x.shape[0], w.shape[1], dtype=x.dtype)
    for n in range(x.shape[0]):
        for m in range(w.shape[1]):
            out[n, m] = sum(x[n, d] * w[d, m] for d in range(x.shape[1])) + b[m]
    return out, (x, w, b)


def _loops_backward(dout, cache):
    x, w, b = cache
    dx, dw, db = torch.zeros_like(x), torch.zeros_like(w), torch.zeros_like(b)
    for n in range(x.shape[0]):
        for m in range(w.shape[1]):
            dx[n] += dout[n, m] * w[:, m]
            dw[:, m] += dout[n, m] * x[n]
            db[m] += dout[n, m]
    return [dx, dw, db]


def _einsum_forward(x, w, b):
    return torch.einsum("nd,dm->nm", x, w) + b, {"x": x, "w": w}


def _einsum_backward(dout, cache):
    dx = torch.einsum("nm,dm->nd", dout, cache["w"])
    dw = torch.einsum("nd,nm->dm", cache["x"], dout)
    return dx, dw, torch.einsum("nm->m", dout)


def _ones_forward(x, w, b):
    ones = torch.ones(x.shape[0], 1, dtype=x.dtype)
    return torch.cat([x, ones], 1) @ torch.cat([w, b[None]], 0), lambda: (x, w, ones)


def _ones_backward(dout, cache):
    x, w, ones = cache()
    stacked = torch.cat([x, ones], 1).T @ dout
    return (w @ dout.T).T, stacked[:-1], stacked[-1]


LESSON = Lesson(
    name="linear",
    title="The linear layer",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 6.44 to 6.47 and section 6.5.6 (back-propagation through a matrix product)",
    target=1.1,
    tasks=(
        Pair(
            "linear",
            wrt=("x", "w", "b"),
            oracle=oracle,
            probes=(
                probe("4 rows, 3 features, 5 outputs", x=normal(4, 3), w=normal(3, 5), b=normal(5)),
                probe("batch of one", x=normal(1, 4), w=normal(4, 3), b=normal(3)),
                probe("as many rows as features and outputs", x=normal(3, 3), w=normal(3, 3), b=normal(3)),
                probe("one output", x=normal(6, 2), w=normal(2, 1), b=normal(1)),
                probe("non-contiguous", x=transposed(normal(3, 5)), w=transposed(normal(2, 3)), b=normal(2)),
                probe("inputs of 1000", x=normal(3, 2, scale=1000), w=normal(2, 4), b=normal(4)),
            ),
        ),
    ),
    mistakes=(
        mistake("mean over the batch", "mean_for_sum", "dout.sum(0)", "dout.mean(0)"),
        mistake("bias summed over everything", "wrong_axis", "dout.sum(0)", "dout.sum() * torch.ones_like(dout[0])"),
        mistake("bias not summed", "missing_reduction", "dout.sum(0)", "dout"),
        mistake("dw transposed", "transposed", "(dout.T @ x).T", "dout.T @ x"),
        mistake("dw divided by the batch", "extra_batch_mean", "(dout.T @ x).T", "(dout.T @ x).T / x.shape[0]"),
        mistake("upstream ignored in dx", "ignores_upstream", "dout @ w.T", "torch.ones_like(dout) @ w.T"),
        mistake("dw of the last row only", "overwritten", "dw = (dout.T @ x).T", "dw = x[-1:].T @ dout[-1:]"),
        mistake("db of the last row only", "overwritten", "db = dout.sum(0)", "db = dout[-1].clone()"),
        mistake(
            "dw transposed where it is square",
            "transposed",
            "dw = (dout.T @ x).T",
            "dw = (dout.T @ x).T\n    dw = dw.T if dw.shape[0] == dw.shape[1] else dw",
        ),
        mistake("sign of dx", "sign", "dout @ w.T", "-dout @ w.T"),
    ),
    variants=(
        variant("plain loops", linear_forward=_loops_forward, linear_backward=_loops_backward),
        variant("einsum", linear_forward=_einsum_forward, linear_backward=_einsum_backward),
        variant("bias as a weight", linear_forward=_ones_forward, linear_backward=_ones_backward),
    ),
    hints=(
        "Write the gradient of one entry first: how does out[n, m] change when x[n, d] does?",
        "Shapes narrow it down: dx must be (N, D), and you have dout (N, M) and w (D, M).",
        "b was copied to every row. A value that is used N times collects the gradients of all N uses.",
    ),
)
### END SPEC
