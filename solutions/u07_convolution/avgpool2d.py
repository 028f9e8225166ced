"""Average pooling
===============

A window of size kernel slides over every channel in steps of stride; the mean of each window goes on:

    out[n, c, h, w] = 1/(kH kW) Σ over i, j of x[n, c, h sH + i, w sW + j]      x (N, C, H, W)  →  out (N, C, H', W')
    H' = ⌊(H − kH) / sH⌋ + 1,    W' = ⌊(W − kW) / sW⌋ + 1

Every entry of a window has the same share in its mean, 1/(kH kW), and so it gets the same share of dout back. Where windows overlap
(stride < kernel), an entry collects a share from each window that it lies in.

Conventions: kernel and stride are ints or pairs (rows, columns); rows and columns that no window reaches are left out, and get gradient 0.
"""

import torch


def pair(size):
    """An int for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def places(x, kernel, stride):
    """For every place (i, j) of the window, row by row: the view of x that meets it.  x (N, C, H, W) → views (N, C, H', W')."""
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    H, W = x.shape[2] - kH + 1, x.shape[3] - kW + 1
    return [x[:, :, i : i + H : sH, j : j + W : sW] for i in range(kH) for j in range(kW)]


def avgpool2d_forward(x, *, kernel, stride):
    """The mean of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    ### BEGIN SOLUTION
    windows = places(x, kernel, stride)
    return sum(windows) / len(windows), (x, kernel, stride)
    ### END SOLUTION


def avgpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    x, kernel, stride = cache
    dx = torch.zeros_like(x)
    windows = places(dx, kernel, stride)
    share = dout / len(windows)
    for place in windows:
        place += share
    return dx
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, *, kernel, stride):
    return torch.nn.functional.avg_pool2d(x, kernel, stride)


def _sizes(shape, kernel, stride):
    kH, kW = (kernel, kernel) if isinstance(kernel, int) else kernel
    sH, sW = (stride, stride) if isinstance(stride, int) else stride
    return kH, kW, sH, sW, (shape[2] - kH) // sH + 1, (shape[3] - kW) // sW + 1


def _loops_forward(x, *, kernel, stride):
    kH, kW, sH, sW, H, W = _sizes(x.shape, kernel, stride)
    out = torch.empty(x.shape[0], x.shape[1], H, W, dtype=x.dtype)
    for h in range(H):
        for w in range(W):
            out[:, :, h, w] = x[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW].mean((2, 3))
    return out, (x.shape, kernel, stride)


def _loops_backward(dout, cache):
    shape, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(shape, kernel, stride)
    dx = dout.new_zeros(shape)
    for h in range(H):
        for w in range(W):
            dx[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW] += dout[:, :, h, w, None, None] / (kH * kW)
    return dx


def _overwriting_backward(dout, cache):
    x, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(x.shape, kernel, stride)
    dx = torch.zeros_like(x)
    for h in range(H):
        for w in range(W):
            dx[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW] = dout[:, :, h, w, None, None] / (kH * kW)
    return dx


def _matrix(size, kernel, stride, dtype):
    """Row h of the matrix holds 1/kernel where window h lies: pooling of one axis as a matrix product."""
    count = (size - kernel) // stride + 1
    first = torch.arange(count)[:, None] * stride
    where = torch.arange(size)
    return ((where >= first) & (where < first + kernel)).to(dtype) / kernel


def _matrices_forward(x, *, kernel, stride):
    kH, kW, sH, sW, _, _ = _sizes(x.shape, kernel, stride)
    rows, columns = _matrix(x.shape[2], kH, sH, x.dtype), _matrix(x.shape[3], kW, sW, x.dtype)
    return rows @ x @ columns.T, (rows, columns)


def _matrices_backward(dout, cache):
    rows, columns = cache
    return rows.T @ dout @ columns


LESSON = Lesson(
    name="avgpool2d",
    title="Average pooling",
    source="LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition (1998), section II.B (subsampling); Goodfellow et al. (2016), section 9.3",
    requires=("maxpool2d",),
    forbids=(
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "max_pool2d_with_indices",
        "adaptive_max_pool2d",
        "avg_pool1d",
        "avg_pool2d",
        "avg_pool3d",
        "adaptive_avg_pool1d",
        "adaptive_avg_pool2d",
        "adaptive_avg_pool3d",
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
    minutes=15,
    target=3.0,
    tasks=(
        Pair(
            "avgpool2d",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("2 × 2 windows side by side", x=normal(2, 3, 4, 6), hyper={"kernel": 2, "stride": 2}),
                probe("overlapping windows", x=normal(2, 2, 5, 7), hyper={"kernel": 3, "stride": 1}),
                probe("overlapping by a part", x=normal(1, 2, 7, 5), hyper={"kernel": 3, "stride": 2}),
                probe("one image", x=normal(1, 1, 4, 4), hyper={"kernel": 2, "stride": 2}),
                probe(
                    "pairs the other way", x=normal(2, 2, 8, 7), hyper={"kernel": (2, 3), "stride": (3, 2)}
                ),
                probe("pairs", x=normal(2, 3, 7, 8), hyper={"kernel": (3, 2), "stride": (2, 3)}),
                probe("rows and columns left over", x=normal(2, 2, 5, 7), hyper={"kernel": 2, "stride": 2}),
                probe("gaps between windows", x=normal(2, 1, 7, 8), hyper={"kernel": 2, "stride": 3}),
                probe("non-contiguous", x=transposed(normal(2, 2, 6, 4)), hyper={"kernel": 2, "stride": 2}),
            ),
            bench=probe("64 maps of 32 × 32", x=normal(8, 8, 32, 32), hyper={"kernel": 2, "stride": 2}),
        ),
    ),
    mistakes=(
        mistake("window by window overwrites dx", "overwritten", avgpool2d_backward=_overwriting_backward),
        mistake("windows overwrite one another", "overwritten", "place += share", "place[:] = share"),
        mistake("not shared", "constant_factor", "share = dout / len(windows)", "share = dout"),
        mistake(
            "shared among the rows only",
            "constant_factor",
            "share = dout / len(windows)",
            "share = dout / pair(kernel)[0]",
        ),
        mistake(
            "upstream ignored",
            "ignores_upstream",
            "share = dout / len(windows)",
            "share = torch.ones_like(dout) / len(windows)",
        ),
        mistake(
            "only the first place",
            "missing_term",
            "for place in windows:",
            "for place in windows[:1]:",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake("sum for mean", "constant_factor", "sum(windows) / len(windows)", "sum(windows)"),
        mistake("kernel for stride", "crashed", "pair(kernel), pair(stride)", "pair(kernel), pair(kernel)"),
    ),
    variants=(
        variant("a loop over windows", avgpool2d_forward=_loops_forward, avgpool2d_backward=_loops_backward),
        variant(
            "two matrix products", avgpool2d_forward=_matrices_forward, avgpool2d_backward=_matrices_backward
        ),
    ),
    hints=(
        "How much does the mean of a window change when one of its entries does?",
        "Every entry of the window gets that share of dout. How many windows does an entry lie in when stride < kernel?",
        "Start from zeros and add, place by place of the window, the share to the slice of dx that meets it.",
    ),
)
### END SPEC
