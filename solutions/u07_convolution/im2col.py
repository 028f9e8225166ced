"""Windows as columns
==================

Cut an image into all windows of size kernel and lay each of them out as one column. Then a convolution is a
single matrix product, which is how libraries have made it fast:

    out[n, (c, i, j), (h, w)] = x̃[n, c, h sH + i, w sW + j]

    x (N, C, H, W)  →  out (N, C · kH · kW, L),   L = H' · W'
    H' = ⌊(H + 2 pH − kH) / sH⌋ + 1,    W' = ⌊(W + 2 pW − kW) / sW⌋ + 1

x̃ is x in a frame of zeros; rows go over channels, then window rows, then window columns; columns go over the
windows row by row.

Nothing is computed, entries are only copied: one that lies in several windows is copied several times. So the
backward pass, col2im, adds all copies up where they came from, and cuts the frame off.

Convention: kernel, stride and padding are numbers for both axes, or pairs (rows, columns).
"""

import torch

from solutions.u07_convolution.given import framed, pair, places


def im2col_forward(x, *, kernel, stride=1, padding=0):
    """All windows as columns.  x (N, C, H, W) → out (N, C · kH · kW, L), cache."""
    ### BEGIN SOLUTION
    windows = torch.stack(places(framed(x, padding), kernel, stride), 2)  # (N, C, kH kW, H', W')
    return windows.flatten(3).flatten(1, 2), (x, windows.shape, kernel, stride, padding)
    ### END SOLUTION


def im2col_backward(dout, cache):
    """dout (N, C · kH · kW, L) → dx (N, C, H, W)."""
    ### BEGIN SOLUTION
    x, shape, kernel, stride, padding = cache
    dwindows = dout.reshape(shape)
    dx = framed(torch.zeros_like(x), padding)
    for k, place in enumerate(places(dx, kernel, stride)):
        place += dwindows[:, :, k]
    (H, W), (pH, pW) = x.shape[2:], pair(padding)
    return dx[:, :, pH : pH + H, pW : pW + W]
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import (
    CONVOLUTIONS,
    UNSEEN_INDEX,
    WINDOWS,
    Cause,
    Layer,
    Lesson,
    at,
    edit,
    reach,
    standard,
)

LESSON = Lesson(
    name="im2col",
    title="Windows as columns",
    source="Chellapilla, Puri, Simard, High Performance CNNs for Document Processing (2006), section 3",
    requires=("conv2d",),
    forbids=(*CONVOLUTIONS, "im2col"),
    minutes=30,
    tasks=(
        Layer(
            "x[N,C,H,W] -> out[N,K',L']",
            oracle=lambda x, *, kernel, stride=1, padding=0: F.unfold(x, kernel, 1, padding, stride),
            sizes=dict(N=3, C=2, H=6, W=5),
            hyper=dict(kernel=3),
            bench=dict(N=8, C=8, H=16, W=16, kernel=3, stride=1, padding=1),
            probes=(
                *WINDOWS,
                at("rows left over", stride=2),
                at("gaps between windows", kernel=2, stride=3, W=8),
                at("a frame beyond the window", H=3, W=2, kernel=1, padding=2),
                reach(
                    "pairs",
                    at(kernel=(3, 2), stride=(1, 2), padding=(0, 1)),
                    at(kernel=(2, 3), stride=(2, 1), padding=(1, 0)),
                    says="kernel, stride and padding that are pairs, (down, across), are not taken yet",
                ),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("place += dwindows", "place[:] = dwindows", "copies overwrite one another", Cause.OVERWRITTEN),
        edit(
            "places(dx, kernel, stride)",
            "[p[:, :, : shape[3], : shape[4]] for p in places(dx, kernel, 1)]",
            "stride forgotten",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit("dx[:, :, pH : pH + H, pW : pW + W]", "dx", "frame not cut off", Cause.WRONG_SHAPE),
        edit("pH : pH + H, pW : pW + W]", "pH:-pH, pW:-pW]", "pad : −pad with pad 0", Cause.WRONG_SHAPE),
        edit("kernel, stride)):", "pair(kernel)[::-1], stride)):", "columns for rows", Cause.NOT_GENERAL),
        edit("windows.f", "windows.transpose(1, 2).f", "windows transposed in the forward", Cause.TRANSPOSED),
    ),
    why="Copying is linear: an entry that is copied into several columns collects the gradients of all its copies.",
    hints=(
        "Nothing is computed in the forward. How often is one entry of x copied, and where to?",
        "Give dout its axes back: image, channel, place in the window, window (two).",
        "For each place in the window, add the slice of all windows to the strided slice of x̃ that it was copied from.",
    ),
)
### END SPEC
