"""Layer normalisation
===================

Batch normalisation ties the samples of a batch together. Layer normalisation looks at one sample at a time,
and normalises over its features:

    μ = 1/D Σ_d x[n, d]        σ² = 1/D Σ_d (x[n, d] − μ)²
    x̂ = (x − μ) / √(σ² + ε)                                  out = γ x̂ + β

x (N, D), γ and β (D,): μ and σ² have the shape (N,), one for each sample  →  out (N, D). A sequence has more
leading axes, x (…, D), and each of its places is a sample.

The statistics now run along the last axis, while γ and β are shared by all samples. So the backward pass
averages over the last axis for x, and sums over all the others for γ and β. Note where γ stands: it differs
along the axis of the mean.

Conventions: biased variance, divided by D; ε under the root; x may be any view, contiguous in memory or not.
"""


def layernorm_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (…, D), gamma (D,), beta (D,) → out (…, D), cache."""
    raise NotImplementedError("layernorm_forward: out = γ x̂ + β.  x (…, D), gamma (D,), beta (D,) → out (……")


def layernorm_backward(dout, cache):
    """dout (…, D) → dx (…, D), dgamma (D,), dbeta (D,)."""
    raise NotImplementedError("layernorm_backward: dout (…, D) → dx (…, D), dgamma (D,), dbeta (D,).")

# When it is written: autograd-check check layernorm
