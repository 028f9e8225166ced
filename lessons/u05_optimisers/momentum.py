"""Momentum
========

Gradient descent zigzags across a narrow valley. A velocity that remembers earlier gradients averages the
zigzag away and gathers speed along the valley:

    v ← μ v + g
    p ← p − lr v        param p, grad g and velocity v of one shape

The velocity starts at 0, so the first step is plain gradient descent. In a steady slope it grows to
g / (1 − μ): ten times g for μ = 0.9.

Conventions: this is torch's form, in which lr multiplies the velocity (some books put lr inside it:
v ← μ v − lr g). `momentum` is 0.9 by default. The state is None on the first call, and afterwards whatever
your last call returned: any object. param and grad are never changed in place.
"""

import torch


def momentum_step(param, grad, state, *, lr, momentum=0.9):
    """param, grad of one shape → new param, state."""
    raise NotImplementedError("momentum_step: param, grad of one shape → new param, state.")

# When it is written: autograd-check check momentum
