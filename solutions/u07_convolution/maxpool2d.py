"""Max pooling
===========

A window of size kernel slides over every channel in steps of stride, and of each window only the largest entry goes on:

    out[n, c, h, w] = max over i, j of x[n, c, h sH + i, w sW + j]      x (N, C, H, W)  →  out (N, C, H', W')
    H' = ⌊(H − kH) / sH⌋ + 1,    W' = ⌊(W − kW) / sW⌋ + 1

Seen from one place (i, j) of the window, the entries that meet it in all windows are a strided slice of x. The largest of these kH · kW
slices is the output.

Backwards, an entry of x gets dout from every window in which it was the largest, and nothing from the others. Where windows overlap
(stride < kernel), one entry may win several times: its gradients add up.

Conventions: kernel and stride are ints or pairs (rows, columns); rows and columns that no window reaches are left out, and get gradient 0;
at a tie the first entry in row-major order wins, and takes the whole gradient.
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


def maxpool2d_forward(x, *, kernel, stride):
    """The largest entry of each window.  x (N, C, H, W) → out (N, C, H', W'), cache."""
    ### BEGIN SOLUTION
    out, winner = torch.stack(places(x, kernel, stride)).max(0)
    return out, (x, winner, kernel, stride)
    ### END SOLUTION


def maxpool2d_backward(dout, cache):
    """dout (N, C, H', W') → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    x, winner, kernel, stride = cache
    dx = torch.zeros_like(x)
    for k, place in enumerate(places(dx, kernel, stride)):
        place += dout * (winner == k)
    return dx
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import distinct, literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

TIES = Convention(
    "ties",
    "where several entries of a window are the largest, the first in row-major order takes the whole gradient.",
)


def oracle(x, *, kernel, stride):
    return torch.nn.functional.max_pool2d(x, kernel, stride)


def _sizes(x, kernel, stride):
    kH, kW = (kernel, kernel) if isinstance(kernel, int) else kernel
    sH, sW = (stride, stride) if isinstance(stride, int) else stride
    return kH, kW, sH, sW, (x.shape[2] - kH) // sH + 1, (x.shape[3] - kW) // sW + 1


def _loops_forward(x, *, kernel, stride):
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    out = x.new_zeros(x.shape[0], x.shape[1], H, W)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for h in range(H):
                for w in range(W):
                    out[n, c, h, w] = x[n, c, h * sH : h * sH + kH, w * sW : w * sW + kW].max()
    return out, (x, kernel, stride)


def _loops_backward(dout, cache):
    x, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    dx = torch.zeros_like(x)
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            for h in range(H):
                for w in range(W):
                    window = x[n, c, h * sH : h * sH + kH, w * sW : w * sW + kW]
                    best = int(window.reshape(-1).argmax())
                    dx[n, c, h * sH + best // kW, w * sW + best % kW] += dout[n, c, h, w]
    return dx


def _overwriting_backward(dout, cache):
    x, winner, kernel, stride = cache
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    dx = torch.zeros_like(x)
    for h in range(H):
        for w in range(W):
            inside = winner[:, :, h, w, None] == torch.arange(kH * kW)
            window = (inside * dout[:, :, h, w, None]).unflatten(2, (kH, kW))
            dx[:, :, h * sH : h * sH + kH, w * sW : w * sW + kW] = window
    return dx


def _unfold_forward(x, *, kernel, stride):
    kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    windows = x.unfold(2, kH, sH).unfold(3, kW, sW).flatten(-2)
    best = windows.argmax(-1)
    rows = torch.arange(H)[:, None] * sH + best // kW
    columns = torch.arange(W) * sW + best % kW
    return windows.gather(-1, best[..., None])[..., 0], (rows * x.shape[3] + columns, x.shape)


def _last_window_backward(dout, cache):
    x, winner, kernel, stride = cache
    _kH, kW, sH, sW, H, W = _sizes(x, kernel, stride)
    dx = torch.zeros_like(x).flatten(2)
    for h in range(H):
        for w in range(W):
            best = winner[:, :, h, w]
            place = (h * sH + best // kW) * x.shape[3] + w * sW + best % kW
            dx.scatter_(2, place[..., None], dout[:, :, h, w, None])
    return dx.reshape(x.shape)


def _unfold_backward(dout, cache):
    where, (N, C, H, W) = cache
    dx = dout.new_zeros(N, C, H * W)
    return dx.scatter_add_(2, where.flatten(2), dout.flatten(2)).reshape(N, C, H, W)


def _all_ties_backward(dout, cache):
    x, _, kernel, stride = cache
    dx, best = torch.zeros_like(x), torch.stack(places(x, kernel, stride)).max(0).values
    for place, seen in zip(places(dx, kernel, stride), places(x, kernel, stride), strict=True):
        place += dout * (seen == best)
    return dx


LESSON = Lesson(
    name="maxpool2d",
    title="Max pooling",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.3; Boureau, Ponce, LeCun, A Theoretical Analysis of Feature Pooling (2010)",
    requires=("relu",),
    forbids=(
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
    ),
    minutes=30,
    target=3.0,
    tasks=(
        Pair(
            "maxpool2d",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("2 × 2 windows side by side", x=distinct(2, 3, 4, 6), hyper={"kernel": 2, "stride": 2}),
                probe("overlapping windows", x=distinct(2, 2, 5, 7), hyper={"kernel": 3, "stride": 1}),
                probe("overlapping by a part", x=distinct(1, 2, 7, 5), hyper={"kernel": 3, "stride": 2}),
                probe("one image", x=distinct(1, 1, 4, 4), hyper={"kernel": 2, "stride": 2}),
                probe(
                    "pairs the other way", x=distinct(2, 2, 8, 7), hyper={"kernel": (2, 3), "stride": (3, 2)}
                ),
                probe("pairs", x=distinct(2, 3, 7, 8), hyper={"kernel": (3, 2), "stride": (2, 3)}),
                probe("rows and columns left over", x=distinct(2, 2, 5, 7), hyper={"kernel": 2, "stride": 2}),
                probe("gaps between windows", x=distinct(2, 1, 7, 8), hyper={"kernel": 2, "stride": 3}),
                probe(
                    "very negative images", x=normal(2, 2, 4, 4, shift=-1e6), hyper={"kernel": 2, "stride": 2}
                ),
                probe("non-contiguous", x=transposed(distinct(2, 2, 6, 4)), hyper={"kernel": 2, "stride": 2}),
                probe(
                    "ties",
                    x=literal(
                        [
                            [
                                [
                                    [1.0, 1.0, 2.0, 0.0],
                                    [1.0, 1.0, 2.0, 2.0],
                                    [3.0, 0.0, 0.0, 0.0],
                                    [3.0, 3.0, 0.0, 0.0],
                                ]
                            ]
                        ]
                    ),
                    hyper={"kernel": 2, "stride": 2},
                    convention=TIES,
                ),
            ),
            bench=probe("64 maps of 32 × 32", x=normal(8, 8, 32, 32), hyper={"kernel": 2, "stride": 2}),
        ),
    ),
    mistakes=(
        mistake("window by window overwrites dx", "overwritten", maxpool2d_backward=_overwriting_backward),
        mistake("the winner's entry is overwritten", "overwritten", maxpool2d_backward=_last_window_backward),
        mistake("windows overwrite one another", "overwritten", "place += dout", "place[:] = dout"),
        mistake("dout goes to every entry", "mask_missing", "dout * (winner == k)", "dout"),
        mistake(
            "shared among the entries",
            "mask_missing",
            "dout * (winner == k)",
            "dout / (winner.max() + 1)",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake(
            "window offset by one",
            "wrong_operand",
            "(winner == k)",
            "(winner == (k + 1) % (int(winner.max()) + 1))",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake("upstream ignored", "ignores_upstream", "dout * (winner == k)", "(winner == k)"),
        mistake(
            "last of the ties",
            "ties",
            "(winner == k)",
            "(len(places(dx, kernel, stride)) - 1 - torch.stack(places(x, kernel, stride)).flip(0).max(0).indices == k)",
        ),
        mistake(
            "strides for rows on columns",
            "crashed",
            "(sH, sW) = pair(kernel), pair(stride)",
            "(sW, sH) = pair(kernel), pair(stride)",
        ),
        mistake("min for max", "forward_wrong", ".max(0)", ".min(0)"),
        mistake("all ties get the gradient", "ties", maxpool2d_backward=_all_ties_backward),
    ),
    variants=(
        variant("four loops", maxpool2d_forward=_loops_forward, maxpool2d_backward=_loops_backward),
        variant("unfold and scatter", maxpool2d_forward=_unfold_forward, maxpool2d_backward=_unfold_backward),
    ),
    hints=(
        "Which entry of a window changes the output when it moves a little? What is the slope for it, and for the others?",
        "Remember in the forward, for every window, which place in it won.",
        "Go over the places of the window once more in the backward: each receives dout exactly where it won, and an entry may lie in several windows.",
    ),
)

### END SPEC
