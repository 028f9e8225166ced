"""Root mean square normalisation
==============================

Is it the mean or the scale that makes layer normalisation work? The scale alone does nearly as well, and is
cheaper:

    r = √( 1/D Σ_d x[n, d]² + ε )     out = γ x / r

x (N, D), γ (D,): r has the shape (N,), one for each sample  →  out (N, D). There is no μ and no β. As in
layer norm, x may have more leading axes, (…, D).

With x̂ = x / r, an entry of x reaches the loss through its own x̂ and, since r is made of the whole row,
through every other x̂ of its row. γ is shared by all samples.

Conventions: ε stands under the root, beside the mean of the squares; x may be any view, contiguous in memory
or not.
"""


def rmsnorm_forward(x, gamma, *, eps=1e-5):
    """out = γ x / r.  x (…, D), gamma (D,) → out (…, D), cache."""
    raise NotImplementedError("rmsnorm_forward: out = γ x / r.  x (…, D), gamma (D,) → out (…, D), cache.")


def rmsnorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,)."""
    raise NotImplementedError("rmsnorm_backward: dout (…, D) → dx (…, D), dgamma (D,).")

# When it is written: autograd-check check rmsnorm
