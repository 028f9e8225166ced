"""What the lessons of this unit are given: sizes that are numbers or pairs, frames of zeros, places of a window.

There is nothing to fill in here.
"""


def pair(size):
    """A number for both axes, or a pair as it is."""
    return (size, size) if isinstance(size, int) else tuple(size)


def framed(x, padding):
    """x in a frame of zeros.  x (N, C, H, W) → (N, C, H + 2 pH, W + 2 pW)."""
    pH, pW = pair(padding)
    frame = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * pH, x.shape[3] + 2 * pW)
    frame[:, :, pH : pH + x.shape[2], pW : pW + x.shape[3]] = x
    return frame


def places(x, kernel, stride):
    """The view of x that meets each place (i, j) of the window, row by row.  x (.., H, W) → (.., H', W')."""
    (kH, kW), (sH, sW) = pair(kernel), pair(stride)
    H, W = x.shape[2] - kH + 1, x.shape[3] - kW + 1
    return [x[:, :, i : i + H : sH, j : j + W : sW] for i in range(kH) for j in range(kW)]
