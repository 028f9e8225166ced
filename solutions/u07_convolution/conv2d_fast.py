"""Convolution by one matrix product
=================================

The same convolution, made fast. Lay every window of the batch out as one column, and every filter as one row:

    X (C kH kW, N H' W')        W (O, C kH kW)        out = W X + b        backwards:  dW = dout Xᵀ,   dX = Wᵀ dout

One large product of matrices replaces many small ones, and a matrix product is what a processor does best. What is left is to copy windows
into X, and to add the columns of dX up where they were copied from. Neither needs a loop over the image: taken one place (i, j) of the
window at a time, all windows together are a strided slice of x.

Conventions: as in conv2d; x (N, C, H, W), w (O, C, kH, kW), b (O,)  →  out (N, O, H', W'). This lesson is graded for speed as well.
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def framed(x, padding):
    """x in a frame of zeros.  x (.., H, W) → (.., H + 2 pH, W + 2 pW)."""
    pH, pW = pair(padding)
    frame = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * pH, x.shape[3] + 2 * pW)
    frame[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]] = x
    return frame


def places(x, kernel, stride):
    """For every place (i, j) of the window, row by row: the view of x that meets it.  x (.., H, W) → views (.., H', W')."""
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    H, W = x.shape[2] - kH + 1, x.shape[3] - kW + 1
    return [x[:, :, i : i + H : sH, j : j + W : sW] for i in range(kH) for j in range(kW)]


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
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, w, b, *, stride=1, padding=0):
    return torch.nn.functional.conv2d(x, w, b, stride=stride, padding=padding)


def _batched_forward(x, w, b, *, stride=1, padding=0):
    windows = framed(x, padding).unfold(2, w.shape[2], pair(stride)[0]).unfold(3, w.shape[3], pair(stride)[1])
    columns = windows.permute(0, 1, 4, 5, 2, 3).flatten(1, 3).flatten(2)
    out = w.flatten(1) @ columns + b[:, None]
    return out.reshape(len(x), len(w), *windows.shape[2:4]), (x, w, columns, stride, padding)


def _batched_backward(dout, cache):
    x, w, columns, stride, padding = cache
    flat = dout.flatten(2)
    dcolumns = (w.flatten(1).T @ flat).reshape(len(x), *w.shape[1:], *dout.shape[2:])
    dx, (sH, sW), (pH, pW) = framed(torch.zeros_like(x), padding), pair(stride), pair(padding)
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            dx[:, :, i : i + sH * dout.shape[2] : sH, j : j + sW * dout.shape[3] : sW] += dcolumns[:, :, i, j]
    dw = (flat @ columns.transpose(1, 2)).sum(0).reshape(w.shape)
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]], dw, dout.sum((0, 2, 3))


def _strided_forward(x, w, b, *, stride=1, padding=0):
    """Windows as one overlapping view of memory."""
    xp, (sH, sW), (kH, kW) = framed(x, padding), pair(stride), w.shape[2:]
    H, W = (xp.shape[2] - kH) // sH + 1, (xp.shape[3] - kW) // sW + 1
    n, c, r, s = xp.stride()
    windows = torch.as_strided(xp, (len(x), H, W, x.shape[1], kH, kW), (n, r * sH, s * sW, c, r, s)).reshape(
        len(x) * H * W, -1
    )
    out = (windows @ w.flatten(1).T + b).reshape(len(x), H, W, len(w)).permute(0, 3, 1, 2)
    return out.contiguous(), {
        "w": w,
        "windows": windows,
        "shape": xp.shape,
        "x": x.shape,
        "stride": (sH, sW),
        "padding": pair(padding),
    }


def _strided_backward(dout, cache):
    w, (sH, sW), (pH, pW) = cache["w"], cache["stride"], cache["padding"]
    kH, kW = w.shape[2:]
    flat = dout.permute(0, 2, 3, 1).reshape(-1, len(w))
    dwindows = (flat @ w.flatten(1)).reshape(dout.shape[0], *dout.shape[2:], w.shape[1], kH, kW)
    dxp = torch.zeros(cache["shape"], dtype=dout.dtype)
    for h in range(dout.shape[2]):
        for v in range(dout.shape[3]):
            dxp[:, :, h * sH : h * sH + kH, v * sW : v * sW + kW] += dwindows[:, h, v]
    dw = (flat.T @ cache["windows"]).reshape(w.shape)
    return dxp[:, :, pH : pH + cache["x"][2], pW : pW + cache["x"][3]], dw, flat.sum(0)


LESSON = Lesson(
    name="conv2d_fast",
    title="Convolution by one matrix product",
    source="Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks for Document Processing (2006), section 3",
    requires=("conv2d", "im2col"),
    forbids=(
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_tbc",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "fold",
        "col2im",
        "im2col",
    ),
    points=15,
    minutes=45,
    target=3.0,
    tasks=(
        Pair(
            "conv2d_fast",
            wrt=("x", "w", "b"),
            oracle=oracle,
            swift=True,
            probes=(
                probe(
                    "2 images, 3 channels, 4 filters", x=normal(2, 3, 5, 6), w=normal(4, 3, 3, 2), b=normal(4)
                ),
                probe(
                    "padding 1", x=normal(2, 2, 4, 5), w=normal(3, 2, 3, 3), b=normal(3), hyper={"padding": 1}
                ),
                probe(
                    "stride 2, padding 2",
                    x=normal(2, 2, 6, 5),
                    w=normal(3, 2, 3, 3),
                    b=normal(3),
                    hyper={"stride": 2, "padding": 2},
                ),
                probe(
                    "stride 2 over 3 × 3, rows left over",
                    x=normal(1, 2, 6, 8),
                    w=normal(2, 2, 3, 3),
                    b=normal(2),
                    hyper={"stride": 2},
                ),
                probe(
                    "stride beyond the filter",
                    x=normal(2, 1, 7, 8),
                    w=normal(2, 1, 2, 2),
                    b=normal(2),
                    hyper={"stride": 3, "padding": 1},
                ),
                probe(
                    "pairs",
                    x=normal(2, 3, 6, 7),
                    w=normal(2, 3, 2, 4),
                    b=normal(2),
                    hyper={"stride": (1, 3), "padding": (0, 2)},
                ),
                probe(
                    "one image, one channel, one filter",
                    x=normal(1, 1, 4, 3),
                    w=normal(1, 1, 2, 2),
                    b=normal(1),
                ),
                probe("1 × 1 filters", x=normal(3, 2, 3, 4), w=normal(4, 2, 1, 1), b=normal(4)),
                probe(
                    "a frame beyond the filter",
                    x=normal(2, 2, 3, 2),
                    w=normal(3, 2, 2, 1),
                    b=normal(3),
                    hyper={"padding": 2},
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 2, 5, 4)),
                    w=transposed(normal(3, 2, 3, 2)),
                    b=normal(3),
                    hyper={"padding": 1},
                ),
            ),
            bench=probe(
                "8 images, 8 channels, 16 × 16, 16 filters",
                x=normal(8, 8, 16, 16),
                w=normal(16, 8, 3, 3),
                b=normal(16),
                hyper={"padding": 1},
            ),
        ),
    ),
    mistakes=(
        mistake("columns overwrite one another", "overwritten", "place += dX[:, k]", "place[:] = dX[:, k]"),
        mistake(
            "places in another order than the filter's",
            "flipped",
            "place += dX[:, k]",
            "place += dX[:, -1 - k]",
        ),
        mistake(
            "frame not cut off",
            "wrong_shape",
            "dx[:, :, pH : pH + H, pW : pW + W].transpose(0, 1), dw",
            "dx.transpose(0, 1), dw",
        ),
        mistake(
            "pad : −pad with pad 0",
            "wrong_shape",
            "pH : pH + H, pW : pW + W].transpose(0, 1), dw",
            "pH:-pH, pW:-pW].transpose(0, 1), dw",
        ),
        mistake(
            "batch and channels not swapped back",
            "transposed",
            "pW : pW + W].transpose(0, 1), dw",
            "pW : pW + W], dw",
        ),
        mistake("bias not summed over the windows", "missing_reduction", "flat.sum(1)", "flat"),
        mistake("bias averaged", "mean_for_sum", "flat.sum(1)", "flat.mean(1)"),
        mistake("dw averaged over the batch", "extra_batch_mean", "(flat @ X.T)", "(flat @ X.T / len(x))"),
        mistake(
            "filters flattened with channels last",
            "forward_wrong",
            "torch.addmm(b[:, None], w.flatten(1), X)",
            "torch.addmm(b[:, None], w.permute(0, 2, 3, 1).flatten(1), X)",
        ),
    ),
    variants=(
        variant(
            "a product for each image",
            conv2d_fast_forward=_batched_forward,
            conv2d_fast_backward=_batched_backward,
        ),
        variant(
            "an overlapping view",
            conv2d_fast_forward=_strided_forward,
            conv2d_fast_backward=_strided_backward,
        ),
    ),
    hints=(
        "Lay out one column a window; in which order must its entries stand for w.flatten(1) to fit?",
        "The two gradients of a matrix product are matrix products again. You have written them in the linear layer.",
        "Give dX its axes back and add, place by place of the window, its slice to the strided slice of dx that it was copied from.",
    ),
)
### END SPEC
