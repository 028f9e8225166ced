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

from lessons.u07_convolution.given import framed, pair, places


def im2col_forward(x, *, kernel, stride=1, padding=0):
    """All windows as columns.  x (N, C, H, W) → out (N, C · kH · kW, L), cache."""
    raise NotImplementedError("im2col_forward: All windows as columns.  x (N, C, H, W) → out (N, C · kH · k…")


def im2col_backward(dout, cache):
    """dout (N, C · kH · kW, L) → dx (N, C, H, W)."""
    raise NotImplementedError("im2col_backward: dout (N, C · kH · kW, L) → dx (N, C, H, W).")

# When it is written: autograd-check check im2col
