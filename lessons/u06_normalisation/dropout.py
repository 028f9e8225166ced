"""Dropout
=======

Units that always meet each other come to rely on each other. So while a network is trained, silence each unit
with probability p, anew for every sample; what is left must make do alone. To keep the expected value level,
what survives is scaled up at once (*inverted* dropout):

    training      m ~ Bernoulli(1 − p), independently for every entry;    out = x · m / (1 − p)
    evaluation    out = x

x and out of any shape, 0 ≤ p < 1. E[out] = x in both modes, so evaluation needs no correction.

Given the mask, out is linear in x with slope m / (1 − p), and the backward pass must use the very mask that
the forward drew.

Conventions: p is the probability that an entry is dropped. The randomness comes from the generator that is
handed in, so that the same seed drops the same entries; how you draw is up to you. x may hold zeros, and
whether those were dropped matters to the gradient.
"""

import torch


def dropout_forward(x, *, p, train, generator):
    """x any shape → out of the same shape, cache."""
    raise NotImplementedError("dropout_forward: x any shape → out of the same shape, cache.")


def dropout_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("dropout_backward: dout like x → dx like x.")

# When it is written: autograd-check check dropout
