"""RMSprop
=======

One lr for all parameters is too much where gradients are large, and too little where they are small. RMSprop
divides every gradient by its own usual size, the root of a moving average of its squares:

    s ← α s + (1 − α) g²
    p ← p − lr g / (√s + ε)        param p, grad g and average s of one shape, entry by entry

ε keeps the step finite where the gradient has always been 0.

Conventions: torch's. s starts at 0, without any correction for it; ε is added outside the root; `alpha` is
0.99 and `eps` 1e-8 by default. The state is None on the first call, then whatever your last call returned.
param and grad are never changed in place.
"""

import torch


def rmsprop_step(param, grad, state, *, lr, alpha=0.99, eps=1e-8):
    """param, grad of one shape → new param, state."""
    raise NotImplementedError("rmsprop_step: param, grad of one shape → new param, state.")

# When it is written: autograd-check check rmsprop
