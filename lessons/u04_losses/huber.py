"""Huber loss
==========

Quadratic near the truth, so that it settles; linear far away, so that outliers do not take over. With
r = p − y and a threshold δ > 0:

    loss = 1/N Σ h(r)      h(r) = ½ r²             where |r| ≤ δ
                           h(r) = δ (|r| − ½ δ)    elsewhere

p and y have one shape with N entries; the loss is a 0-d tensor. The constant −½ δ² joins the two branches at
|r| = δ, and their slopes meet there too: one entry never pulls harder than δ/N, however far off it is.

Conventions: δ is the keyword `delta`, 1 by default. N counts entries. p and y must have one shape, else a
`ValueError` names both shapes.
"""

import torch


def huber_forward(p, y, *, delta=1.0):
    """Mean of h(p − y).  p, y of one shape → loss (), cache."""
    raise NotImplementedError("huber_forward: Mean of h(p − y).  p, y of one shape → loss (), cache.")


def huber_backward(dout, cache):
    """dout () → dp like p."""
    raise NotImplementedError("huber_backward: dout () → dp like p.")

# When it is written: autograd-check check huber
