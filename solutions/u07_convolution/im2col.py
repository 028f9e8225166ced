"""Windows as columns
==================

Cut an image into all windows of size kernel and lay each of them out as one column. Then a convolution is a single matrix product, which is
how libraries have made it fast:

    out[n, (c, i, j), (h, w)] = x̃[n, c, h sH + i, w sW + j]      x (N, C, H, W)  →  out (N, C · kH · kW, L),   L = H' · W'
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

x̃ is x in a frame of zeros; rows go over channels, then window rows, then window columns; columns go over the windows row by row.

Nothing is computed, entries are only copied: one that lies in several windows is copied several times. So the backward pass, col2im, adds
all copies up where they came from, and cuts the frame off.

Convention: kernel, stride and padding are ints or pairs (rows, columns).
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def framed(x, padding):
    """x in a frame of zeros.  x (N, C, H, W) → (N, C, H + 2 pH, W + 2 pW)."""
    pH, pW = pair(padding)
    frame = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * pH, x.shape[3] + 2 * pW)
    frame[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]] = x
    return frame


def im2col_forward(x, *, kernel, stride=1, padding=0):
    """All windows as columns.  x (N, C, H, W) → out (N, C · kH · kW, L), cache."""
    ### BEGIN SOLUTION
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    windows = framed(x, padding).unfold(2, kH, sH).unfold(3, kW, sW)
    N, C, H, W = windows.shape[:4]
    out = windows.permute(0, 1, 4, 5, 2, 3).reshape(N, C * kH * kW, H * W)
    return out, (x, (N, C, kH, kW, H, W), stride, padding)
    ### END SOLUTION


def im2col_backward(dout, cache):
    """dout (N, C · kH · kW, L) → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    x, shape, stride, padding = cache
    (sH, sW), (pH, pW) = pair(stride), pair(padding)
    _, _, kH, kW, H, W = shape
    dwindows = dout.reshape(shape)
    dx = framed(torch.zeros_like(x), padding)
    for i in range(kH):
        for j in range(kW):
            dx[:, :, i : i + sH * H : sH, j : j + sW * W : sW] += dwindows[:, :, i, j]
    return dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]]
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, *, kernel, stride=1, padding=0):
    return torch.nn.functional.unfold(x, kernel, stride=stride, padding=padding)


def _loops_forward(x, *, kernel, stride=1, padding=0):
    (kH, kW), (sH, sW), xp = pair(kernel), pair(stride), framed(x, padding)
    columns = [
        xp[:, :, h : h + kH, w : w + kW].reshape(len(x), -1)
        for h in range(0, xp.shape[2] - kH + 1, sH)
        for w in range(0, xp.shape[3] - kW + 1, sW)
    ]
    return torch.stack(columns, 2), (x, kernel, stride, padding)


def _loops_backward(dout, cache):
    x, kernel, stride, padding = cache
    (kH, kW), (sH, sW), (pH, pW) = pair(kernel), pair(stride), pair(padding)
    dxp, column = framed(torch.zeros_like(x), padding), 0
    for h in range(0, dxp.shape[2] - kH + 1, sH):
        for w in range(0, dxp.shape[3] - kW + 1, sW):
            dxp[:, :, h : h + kH, w : w + kW] += dout[:, :, column].reshape(len(x), x.shape[1], kH, kW)
            column += 1
    return dxp[:, :, pH : dxp.shape[2] - pH, pW : dxp.shape[3] - pW]


def _index_forward(x, *, kernel, stride=1, padding=0):
    (kH, kW), (sH, sW), xp = pair(kernel), pair(stride), framed(x, padding)
    N, C, H, W = xp.shape
    numbers = torch.arange(C * H * W).reshape(C, H, W)
    where = torch.cat(
        [
            numbers[:, h : h + kH, w : w + kW].reshape(-1, 1)
            for h in range(0, H - kH + 1, sH)
            for w in range(0, W - kW + 1, sW)
        ],
        1,
    )
    return xp.reshape(N, -1)[:, where], (where, xp.shape, x.shape, pair(padding))


def _index_backward(dout, cache):
    where, full, size, (pH, pW) = cache
    flat = torch.zeros(full[0], full[1] * full[2] * full[3], dtype=dout.dtype)
    flat.index_add_(1, where.reshape(-1), dout.reshape(len(dout), -1))
    return flat.reshape(full)[:, :, pH : pH + size[2], pW : pW + size[3]]


LESSON = Lesson(
    name="im2col",
    title="Windows as columns",
    source="Chellapilla, Puri, Simard, High Performance Convolutional Neural Networks for Document Processing (2006), section 3",
    requires=("conv2d",),
    forbids=(
        "im2col",
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
    ),
    minutes=30,
    target=None,
    tasks=(
        Pair(
            "im2col",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe(
                    "3 × 2 windows", x=normal(2, 3, 5, 4), hyper={"kernel": (3, 2), "stride": 1, "padding": 0}
                ),
                probe("stride and padding not given", x=normal(2, 2, 4, 5), hyper={"kernel": 2}),
                probe("padding 1", x=normal(2, 2, 4, 5), hyper={"kernel": 3, "stride": 1, "padding": 1}),
                probe(
                    "stride 2, padding 2",
                    x=normal(1, 2, 6, 5),
                    hyper={"kernel": 3, "stride": 2, "padding": 2},
                ),
                probe("rows left over", x=normal(2, 1, 6, 8), hyper={"kernel": 3, "stride": 2, "padding": 0}),
                probe(
                    "gaps between windows",
                    x=normal(2, 2, 7, 8),
                    hyper={"kernel": 2, "stride": 3, "padding": 0},
                ),
                probe(
                    "pairs the other way",
                    x=normal(2, 2, 6, 5),
                    hyper={"kernel": (3, 2), "stride": (1, 2), "padding": (0, 1)},
                ),
                probe(
                    "pairs",
                    x=normal(2, 2, 5, 6),
                    hyper={"kernel": (2, 3), "stride": (2, 1), "padding": (1, 0)},
                ),
                probe(
                    "a frame beyond the window",
                    x=normal(2, 2, 3, 2),
                    hyper={"kernel": 1, "stride": 1, "padding": 2},
                ),
                probe(
                    "one image, one channel",
                    x=normal(1, 1, 3, 4),
                    hyper={"kernel": 2, "stride": 1, "padding": 0},
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(2, 2, 5, 4)),
                    hyper={"kernel": 2, "stride": 2, "padding": 1},
                ),
            ),
            bench=probe(
                "8 images, 8 channels, 16 × 16",
                x=normal(8, 8, 16, 16),
                hyper={"kernel": 3, "stride": 1, "padding": 1},
            ),
        ),
    ),
    mistakes=(
        mistake("copies overwrite one another", "overwritten", "+= dwindows", "= dwindows"),
        mistake(
            "stride forgotten",
            "wrong_operand",
            "i : i + sH * H : sH, j : j + sW * W : sW",
            "i : i + H, j : j + W",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake(
            "frame not cut off",
            "wrong_shape",
            "dx[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]]\n",
            "dx\n",
        ),
        mistake(
            "pad : −pad with pad 0",
            "wrong_shape",
            "pH : pH + x.shape[2], pW : pW + x.shape[3]]\n",
            "pH:-pH, pW:-pW]\n",
        ),
        mistake("columns for rows", "crashed", "_, _, kH, kW, H, W = shape", "_, _, kW, kH, H, W = shape"),
        mistake(
            "windows transposed in the forward",
            "transposed",
            "permute(0, 1, 4, 5, 2, 3)",
            "permute(0, 4, 5, 1, 2, 3)",
        ),
        mistake(
            "upstream ignored",
            "ignores_upstream",
            "dwindows = dout.reshape(shape)",
            "dwindows = torch.ones_like(dout).reshape(shape)",
        ),
    ),
    variants=(
        variant("a loop over windows", im2col_forward=_loops_forward, im2col_backward=_loops_backward),
        variant("a table of indices", im2col_forward=_index_forward, im2col_backward=_index_backward),
    ),
    hints=(
        "Nothing is computed in the forward. How often is one entry of x copied, and where to?",
        "Give dout its six axes back: image, channel, place in the window (two), window (two).",
        "For each place in the window, add the slice of all windows to the strided slice of x̃ that it was copied from.",
    ),
)
### END SPEC
