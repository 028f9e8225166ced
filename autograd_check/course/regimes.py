"""What families of lessons share: probes that belong together (regimes), and built-ins that are the answer (families)."""

from __future__ import annotations

from autograd_check.course.words import at, edge, reach

ELEMENTWISE = (at("0-d", rest=()), at("one axis", rest=(9,)), at("four axes", rest=(2, 3, 4, 2)))
"""Functions of every entry: any number of axes."""

SMOOTH = (
    edge("zero and its neighbours", x=[[0.0, 1e-8, -1e-8], [0.5, -0.5, 2.0]]),
    edge(
        "on the way out",
        x=[
            [1.0, 4.0, -4.0, 5.0, -5.0, 6.0, -6.0],
            [10.0, -10.0, 12.0, -12.0, 16.0, -16.0, 25.0],
            [-25.0, 3.5, -3.5, 9.0, -9.0, 7.0, -7.0],
        ],
    ),
)
"""Smooth functions of every entry of x: around 0, and out to where they are flat to the last digit."""

ROWS = (
    reach(
        "any number of axes",
        at("one axis", rest=()),
        at("three axes", rest=(2, 3)),
        says="only x of two axes is taken so far; let everything run over the last axis, -1",
    ),
    edge("rows at 10, 0 and −10", x=[[10.0, 11.0], [0.0, 0.5], [-10.0, -8.0]]),
    edge("ties", x=[[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 0.5, -1.0]]),
)
"""Functions of every row of x, along its last axis, that tell entries apart by their differences."""

WINDOWS = (
    at(padding=1),
    at(stride=2),
    at(stride=2, padding=2),
    at("stride beyond the filter", stride=5, padding=1),
)
"""Convolutions, with numbers for stride and padding."""

PAIRS = (
    reach(
        "pairs",
        at(stride=(3, 1), padding=(2, 0)),
        at(stride=(1, 3), padding=(0, 2)),
        says="stride and padding that are pairs, (down, across), are not taken yet",
    ),
)
"""Convolutions of images, with pairs for stride and padding."""

POOLS = (
    at(kernel=3, stride=3),
    at("windows that overlap", kernel=3, stride=2),
    at("a stride beyond the kernel", kernel=2, stride=3),
    at("windows of one entry", kernel=1, stride=1),
    reach(
        "pairs",
        at(kernel=(2, 3), stride=(3, 1)),
        at(kernel=(3, 2), stride=(1, 3)),
        says="kernel and stride that are pairs, (down, across), are not taken yet",
    ),
)
"""Pools, whose kernel is a hyperparameter."""

NORMALISATIONS = (
    "batch_norm",
    "native_batch_norm",
    "layer_norm",
    "native_layer_norm",
    "group_norm",
    "native_group_norm",
    "instance_norm",
    "rms_norm",
)
"""Built-ins that are the answer of the lessons on normalisation."""

DROPOUTS = ("dropout", "native_dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
"""Built-ins that are the answer of the lesson on dropout."""

CONVOLUTIONS = (
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
)
"""Built-ins that are the answer of the lessons on convolution; `Tensor.unfold` is none of them."""

POOLINGS = (
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
    "max_unpool2d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
)
"""Built-ins that are the answer of the lessons on pooling."""
