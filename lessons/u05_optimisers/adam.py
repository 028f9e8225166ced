"""Adam
====

Momentum and RMSprop together: a moving average m of the gradients gives the direction, one of their squares v
gives the scale. Both start at 0 and are too small at first: after t steps they hold a share 1 − βᵗ only, so
they are divided by it.

    t ← t + 1
    m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
    v ← β₂ v + (1 − β₂) g²           v̂ = v / (1 − β₂ᵗ)
    p ← p − lr m̂ / (√v̂ + ε)          param p, grad g, m and v of one shape, entry by entry

At the first step m̂ / √v̂ is the sign of g: every entry moves by lr.

Conventions: torch's. `betas` is (0.9, 0.999) and `eps` 1e-8 by default; ε is added outside the root, after
the correction. The state is None on the first call, then whatever your last call returned. The corrected m̂
and v̂ are not kept. param and grad are never changed in place.
"""

import torch


def adam_step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    """param, grad of one shape → new param, state."""
    raise NotImplementedError("adam_step: param, grad of one shape → new param, state.")

# When it is written: autograd-check check adam
