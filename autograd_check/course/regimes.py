"""What families of lessons share: probes that belong together (regimes), and built-ins that are the answer (families)."""

from __future__ import annotations

from autograd_check.course.words import at, reach

ELEMENTWISE = (at("0-d", rest=()), at("one axis", rest=(9,)), at("four axes", rest=(2, 3, 4, 2)))
"""Functions of every entry: any number of axes."""

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

NORMALISATIONS = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm", "native_batch_norm", "native_layer_norm")
"""Built-ins that are the answer of the lessons on normalisation."""

CONVOLUTIONS = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "convolution", "unfold")
"""Built-ins that are the answer of the lessons on convolution."""
