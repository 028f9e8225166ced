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
    ### BEGIN SOLUTION
    ends = x.new_zeros(*x.shape[:2], padding)
    windows = torch.cat([ends, x, ends], 2).unfold(2, w.shape[2], stride)
    out = torch.einsum("ncti,oci->not", windows, w) + b[:, None]
    return out, (x, w, windows, stride, padding)
    ### END SOLUTION


def conv1d_backward(dout, cache):
    """dout (N, O, T') → dx (N, C, T), dw (O, C, k), db (O,)."""
    ### BEGIN SOLUTION
    x, w, windows, stride, padding = cache
    db = dout.sum((0, 2))
    dw = torch.einsum("not,ncti->oci", dout, windows)
    dwindows = torch.einsum("not,oci->ncti", dout, w)
    dx = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * padding)
    for i in range(w.shape[2]):
        dx[:, :, i : i + stride * dout.shape[2] : stride] += dwindows[..., i]
    return dx[:, :, padding : padding + x.shape[2]], dw, db
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
    standard,
    wrong,
)

LESSON = Lesson(
    name="conv1d",
    title="Convolution of a signal",
    source="Goodfellow, Bengio, Courville (2016), eq. 9.3; Dumoulin, Visin (2016), relationship 6",
    requires=("linear",),
    forbids=CONVOLUTIONS,
    minutes=30,
    tasks=(
        Layer(
            "x[N,C,T] w[O,C,k] b[O] -> out[N,O,T']",
            oracle=lambda x, w, b, *, stride=1, padding=0: F.conv1d(x, w, b, stride=stride, padding=padding),
            sizes=dict(N=3, C=2, T=7, O=4, k=3),
            bench=dict(N=16, C=8, T=128, O=16, k=5, padding=2),
            probes=(
                *WINDOWS,
                at("entries left over", T=8, stride=2),
                at("filter of one", k=1),
                at("a frame beyond the filter", T=4, k=2, padding=3),
            ),
        ),
    ),
    mistakes=(
        *standard("dw divided by N", "db divided by N"),
        wrong("every filter and window overwrites dx", Cause.OVERWRITTEN),
        wrong("window by window overwrites dx", Cause.OVERWRITTEN),
        wrong("every window overwrites dw", Cause.OVERWRITTEN),
        edit("+= dwindows", "= dwindows", "windows overwrite one another", Cause.OVERWRITTEN),
        edit("dout, windows)", "dout, windows).flip(2)", "filter turned around in dw", Cause.FLIPPED),
        edit("dwindows[..., i]", "dwindows[..., -1 - i]", "filter turned around in dx", Cause.FLIPPED),
        edit(
            "i : i + stride * dout.shape[2] : stride",
            "i : i + dout.shape[2]",
            "stride forgotten in dx",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit(
            "dx[:, :, padding : padding + x.shape[2]], dw", "dx, dw", "zeros not cut off", Cause.WRONG_SHAPE
        ),
        edit(
            "padding : padding + x.shape[2]]", "padding:-padding]", "pad : −pad with pad 0", Cause.WRONG_SHAPE
        ),
        edit("dout.sum((0, 2))", "dout.sum(0)", "bias not summed over time", Cause.MISSING_REDUCTION),
    ),
    why="An entry of x lies in several windows, and collects from each the entry of the filter that met it. w is used at every place, and collects over all places.",
    hints=(
        "Write out the sum for one entry of out and find everything that is multiplied by w[o, c, i]. That, with dout, is its gradient.",
        "For x, ask first what each window would get: place i of it gets Σ over o of dout · w[o, c, i].",
        "Put the windows back where they were cut out: overlapping ones add up, and the added zeros come off at the end.",
    ),
)
### END SPEC
