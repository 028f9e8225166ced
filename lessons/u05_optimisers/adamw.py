"""AdamW
=====

Weight decay pulls every parameter towards 0, a little at each step. Added to the gradient, as an l2 penalty
would, it passes through Adam's division by √v̂, and parameters with large gradients hardly decay at all.
AdamW keeps the two apart:

    p ← p − lr λ p                    the decay, from the parameter as it was
    p ← p − lr m̂ / (√v̂ + ε)           Adam's step, from the gradient alone

with m̂ and v̂ as in the adam lesson; param p and grad g of one shape.

Conventions: torch's. `betas` is (0.9, 0.999), `eps` 1e-8, and λ is the keyword `weight_decay`, 1e-2 by
default; the decay is multiplied by lr. The state is None on the first call, then whatever your last call
returned. param and grad are never changed in place. You may import your adam.
"""

import torch


def adamw_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
    """param, grad of one shape → new param, state."""
    raise NotImplementedError("adamw_step: param, grad of one shape → new param, state.")

# When it is written: autograd-check check adamw
