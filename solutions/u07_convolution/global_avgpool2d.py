"""Global average pooling
======================

The mean of each channel over the whole image: what a deep network hands to its last layer instead of a long
vector.

    out[n, c] = 1/(H W) Σ over h, w of x[n, c, h, w]      x (N, C, H, W)  →  out (N, C)

Every pixel of a channel has the same share in its mean.

(Some keep the two axes, out (N, C, 1, 1); that counts as well.)
"""


def global_avgpool2d_forward(x):
    """The mean over all pixels.  x (N, C, H, W) → out (N, C), cache."""
    ### BEGIN SOLUTION
    return x.mean((2, 3)), x.shape
    ### END SOLUTION


def global_avgpool2d_backward(dout, cache):
    """dout (N, C) → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    N, C, H, W = cache
    return (dout / (H * W))[:, :, None, None].repeat(1, 1, H, W)
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import POOLINGS, Cause, Layer, Lesson, at, drop, edit, standard

LESSON = Lesson(
    name="global_avgpool2d",
    title="Global average pooling",
    source="Lin, Chen, Yan, Network in Network (2014), section 3.2",
    requires=("avgpool2d",),
    forbids=POOLINGS,
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "x[N,C,H,W] -> out[N,C]",
            oracle=lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0],
            sizes=dict(N=3, C=2, H=4, W=5),
            bench=dict(N=8, C=8, H=32, W=32),
            readings=(lambda x: x.mean((2, 3), keepdim=True),),
            probes=(at("one channel", C=1), at("one pixel", H=1, W=1)),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("dout / (H * W)", "dout", "not shared", Cause.CONSTANT_FACTOR),
        edit("(H * W)", "(C * H * W)", "divided by the channels as well", Cause.CONSTANT_FACTOR),
        edit("(H * W)", "(H * H)", "divided by H twice", Cause.CONSTANT_FACTOR),
        drop(".repeat(1, 1, H, W)", "not spread over the pixels", Cause.WRONG_SHAPE),
        edit("x.mean((2, 3)),", "x.sum((2, 3)),", "sum for mean", Cause.CONSTANT_FACTOR),
    ),
    why="Each of the H W pixels moves the mean by 1 / (H W), so all get the same share of dout.",
    hints=(
        "How much does the mean of H · W numbers change when one of them does?",
        "Every pixel of a channel gets the same number. Which one?",
        "Give dout two axes of size 1, then copy it along both.",
    ),
)
### END SPEC
