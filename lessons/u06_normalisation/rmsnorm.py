"""Root mean square normalisation
==============================

Is it the mean or the scale that makes layer normalisation work? The scale alone does nearly as well, and is cheaper:

    r = √( 1/D Σ_d x[…, d]² + ε )     out = γ x / r

x (…, D) with any leading axes, γ (D,): r has the shape (…), one for each sample  →  out (…, D). There is no μ and no β.

With x̂ = x / r and g = γ ∂L/∂out, an entry of x reaches the loss through its own x̂ and through r:

    ∂L/∂x = ( g − x̂ · mean(g x̂) ) / r

with the mean over the last axis; ∂L/∂γ sums ∂L/∂out · x̂ over all the others.

Conventions: ε stands under the root, beside the mean of the squares; x may be any view, contiguous in memory or not.
"""

import torch


def rmsnorm_forward(x, gamma, *, eps=1e-5):
    """out = γ x / r.  x (…, D), gamma (D,) → out (…, D), cache."""
    raise NotImplementedError("rmsnorm_forward: out = γ x / r.  x (…, D), gamma (D,) → out (…, D), cache.")


def rmsnorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,)."""
    raise NotImplementedError("rmsnorm_backward: dout (…, D) → dx (…, D), dgamma (D,).")

# When it is written: autograd-check check rmsnorm
