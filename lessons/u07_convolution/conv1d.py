"""Convolution of a signal
=======================

A filter w[o] slides along the signal, and its scalar product with each window of k entries is one entry of
the output:

    out[n, o, t] = b[o] + Σ over c, i of x̃[n, c, t s + i] · w[o, c, i]

    x (N, C, T), w (O, C, k), b (O,)  →  out (N, O, T'),    T' = ⌊(T + 2 p − k) / s⌋ + 1

x̃ is x with p zeros before and after it, and s is the stride. (Mathematicians would turn the filter around
first; networks do not.)

Backwards each of the three gets the sum over all products in which it took part. w[o, c, i] met entry i of
every window; b[o] every window; an entry of x̃ lies in several windows, each time at another place i, and
collects a gradient from each. The added zeros are not x, so their gradient is cut off again.
"""

import torch


def conv1d_forward(x, w, b, *, stride=1, padding=0):
    """x (N, C, T), w (O, C, k), b (O,) → out (N, O, T'), cache."""
    raise NotImplementedError("conv1d_forward: x (N, C, T), w (O, C, k), b (O,) → out (N, O, T'), cache.")


def conv1d_backward(dout, cache):
    """dout (N, O, T') → dx (N, C, T), dw (O, C, k), db (O,)."""
    raise NotImplementedError("conv1d_backward: dout (N, O, T') → dx (N, C, T), dw (O, C, k), db (O,).")

# When it is written: autograd-check check conv1d
