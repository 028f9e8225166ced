"""Global average pooling
======================

The mean of each channel over the whole image: what a deep network hands to its last layer instead of a long vector.

    out[n, c] = 1/(H W) Σ over h, w of x[n, c, h, w]      x (N, C, H, W)  →  out (N, C)

Every pixel has the share 1/(H W) in its channel's mean, and gets that share of dout back.

(Some keep the two axes, out (N, C, 1, 1); that counts as well.)
"""

import torch


def global_avgpool2d_forward(x):
    """The mean over all pixels.  x (N, C, H, W) → out (N, C), cache."""
    ### BEGIN SOLUTION
    return x.mean((2, 3)), x.shape
    ### END SOLUTION


def global_avgpool2d_backward(dout, cache):
    """dout (N, C) → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    N, C, H, W = cache
    return (dout / (H * W)).reshape(N, C, 1, 1).repeat(1, 1, H, W)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x):
    return torch.nn.functional.adaptive_avg_pool2d(x, 1)[:, :, 0, 0]


def _loops_forward(x):
    rows = [[sum(sum(row) for row in image) for image in sample] for sample in x.tolist()]
    return torch.tensor(rows, dtype=x.dtype) / (x.shape[2] * x.shape[3]), x


def _loops_backward(dout, x):
    dx = torch.empty_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            dx[n, c] = dout[n, c] / x[n, c].numel()
    return dx


def _einsum_forward(x):
    ones = torch.ones(x.shape[2], x.shape[3], dtype=x.dtype) / x[0, 0].numel()
    return torch.einsum("nchw,hw->nc", x, ones), ones


def _einsum_backward(dout, ones):
    return torch.einsum("nc,hw->nchw", dout, ones)


def _kept_forward(x):
    return x.flatten(2).mean(-1)[..., None, None], x


def _kept_backward(dout, x):
    return torch.zeros_like(x) + dout / (x.size(2) * x.size(3))


LESSON = Lesson(
    name="global_avgpool2d",
    title="Global average pooling",
    source="Lin, Chen, Yan, Network in Network (2014), section 3.2",
    requires=("avgpool2d",),
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
    ),
    points=5,
    minutes=10,
    target=3.0,
    tasks=(
        Pair(
            "global_avgpool2d",
            wrt=("x",),
            oracle=oracle,
            readings=(lambda x: x.mean((2, 3), keepdim=True),),
            probes=(
                probe("2 images, 3 channels, 4 × 5", x=normal(2, 3, 4, 5)),
                probe("one image", x=normal(1, 2, 3, 5)),
                probe("one channel", x=normal(4, 1, 2, 3)),
                probe("one pixel", x=normal(3, 2, 1, 1)),
                probe("non-contiguous", x=transposed(normal(2, 3, 5, 4))),
            ),
            bench=probe("64 maps of 32 × 32", x=normal(8, 8, 32, 32)),
        ),
    ),
    mistakes=(
        mistake("not shared", "constant_factor", "dout / (H * W)", "dout"),
        mistake("divided by the channels as well", "constant_factor", "dout / (H * W)", "dout / (C * H * W)"),
        mistake("divided by H twice", "constant_factor", "dout / (H * W)", "dout / (H * H)"),
        mistake("not spread over the pixels", "wrong_shape", ".repeat(1, 1, H, W)", ""),
        mistake("sum for mean", "constant_factor", "x.mean((2, 3))", "x.sum((2, 3))"),
        mistake(
            "upstream ignored", "ignores_upstream", "(dout / (H * W))", "(torch.ones_like(dout) / (H * W))"
        ),
    ),
    variants=(
        variant(
            "python sums", global_avgpool2d_forward=_loops_forward, global_avgpool2d_backward=_loops_backward
        ),
        variant(
            "einsum", global_avgpool2d_forward=_einsum_forward, global_avgpool2d_backward=_einsum_backward
        ),
        variant(
            "with the two axes kept",
            global_avgpool2d_forward=_kept_forward,
            global_avgpool2d_backward=_kept_backward,
        ),
    ),
    hints=(
        "How much does the mean of H · W numbers change when one of them does?",
        "Every pixel of a channel gets the same number. Which one?",
        "Give dout two axes of size 1, then copy it along both.",
    ),
)
### END SPEC
