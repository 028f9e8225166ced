"""Convolution by one matrix product
=================================

The same convolution, made fast. Lay every window of the batch out as one column, and every filter as one row:

    X (C kH kW, N H' W')        W (O, C kH kW)        out = W X + b

One large product of matrices replaces many small ones, and a matrix product is what a processor does best;
going backward there are two of them, as in the linear layer. What is left is to copy windows into X, and to
add the columns of its gradient up where they were copied from. Neither needs a loop over the image: taken one
place (i, j) of the window at a time, all windows together are a strided slice of x.

Conventions: as in conv2d; x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W'). This lesson is
graded for speed as well.
"""

import torch

from solutions.u07_convolution.given import framed, pair, places


def conv2d_fast_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, H, W), w (O, C, kH, kW), b (O,) → out (N, O, H', W'), cache."""
    ### BEGIN SOLUTION
    windows = torch.stack(places(framed(x.transpose(0, 1), padding), w.shape[2:], stride), 1)
    X = windows.reshape(w[0].numel(), -1)
    out = torch.addmm(b[:, None], w.flatten(1), X)
    return out.reshape(len(w), *windows.shape[2:]).transpose(0, 1), (x, w, X, stride, padding)
    ### END SOLUTION


def conv2d_fast_backward(dout, cache):
    """dout (N, O, H', W') → dx (N, C, H, W), dw (O, C, kH, kW), db (O,)."""
    ### BEGIN SOLUTION
    x, w, X, stride, padding = cache
    rows = dout.transpose(0, 1)
    flat = rows.flatten(1)
    dw = (flat @ X.T).reshape(w.shape)
    dX = (w.flatten(1).T @ flat).reshape(w.shape[1], -1, *rows.shape[1:])

    (H, W), (pH, pW) = x.shape[2:], pair(padding)
    dx = framed(torch.zeros_like(x).transpose(0, 1), padding)
    for k, place in enumerate(places(dx, w.shape[2:], stride)):
        place += dX[:, k]
    return dx[:, :, pH : pH + H, pW : pW + W].transpose(0, 1), dw, flat.sum(1)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import CONVOLUTIONS, PAIRS, WINDOWS, Cause, Layer, Lesson, at, drop, edit, standard

LESSON = Lesson(
    name="conv2d_fast",
    title="Convolution by one matrix product",
    source="Chellapilla, Puri, Simard, High Performance CNNs for Document Processing (2006), section 3",
    requires=("conv2d", "im2col"),
    forbids=(*CONVOLUTIONS, "im2col"),
    points=15,
    minutes=45,
    target=3.0,
    tasks=(
        Layer(
            "x[N,C,H,W] w[O,C,kH,kW] b[O] -> out[N,O,H',W']",
            oracle=lambda x, w, b, *, stride=1, padding=0: F.conv2d(x, w, b, stride=stride, padding=padding),
            sizes=dict(N=3, C=2, H=6, W=7, O=5, kH=4, kW=3),
            bench=dict(N=8, C=8, H=16, W=16, O=16, kH=3, kW=3, padding=1),
            swift=True,
            probes=(
                *WINDOWS,
                at("rows left over", stride=2, W=8),
                at("1 × 1 filters", kH=1, kW=1),
                at("a frame beyond the filter", H=3, W=2, kH=2, kW=1, padding=2),
                *PAIRS,
            ),
        ),
    ),
    mistakes=(
        *standard("dw divided by N"),
        edit("place += dX[:, k]", "place[:] = dX[:, k]", "columns overwrite one another", Cause.OVERWRITTEN),
        edit("dX[:, k]", "dX[:, -1 - k]", "places in another order than the filter's", Cause.FLIPPED),
        edit("dx[:, :, pH : pH + H, pW : pW + W].", "dx.", "frame not cut off", Cause.WRONG_SHAPE),
        edit("pH : pH + H, pW : pW + W]", "pH:-pH, pW:-pW]", "pad : −pad with pad 0", Cause.WRONG_SHAPE),
        edit(
            "pW : pW + W].transpose(0, 1)",
            "pW : pW + W]",
            "batch and channels not swapped back",
            Cause.TRANSPOSED,
        ),
        drop(".sum(1)", "bias not summed over the windows", Cause.MISSING_REDUCTION),
        edit("flat.sum(1)", "flat.mean(1)", "bias averaged", Cause.MEAN_FOR_SUM),
        edit(
            "b[:, None], w.flatten(1)",
            "b[:, None], w.permute(0, 2, 3, 1).flatten(1)",
            "filters flattened with channels last",
            Cause.FORWARD_WRONG,
        ),
    ),
    why="With the windows as columns the convolution is one matrix product, so dw and the gradient of the columns are one each; overlapping windows add up on the way back.",
    hints=(
        "Lay out one column a window; in which order must its entries stand for w.flatten(1) to fit?",
        "The two gradients of a matrix product are matrix products again. You have written them in the linear layer.",
        "Give dX its axes back and add, place by place of the window, its slice to the strided slice of dx that it was copied from.",
    ),
)
### END SPEC
