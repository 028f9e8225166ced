"""Batch normalisation
===================

Give every feature mean 0 and variance 1 over the batch, then let the network choose another scale γ and
shift β:

    μ = 1/N Σₙ x[n]        σ² = 1/N Σₙ (x[n] − μ)²
    x̂ = (x − μ) / √(σ² + ε)                          out = γ x̂ + β

x (N, D), γ and β (D,), so μ and σ² are (D,), one for each column  →  out (N, D).

Going backward, an entry of x moves the loss in three ways: through its own x̂, through μ, and through σ². So
its gradient has three terms. The last two take out of it what would shift or stretch a whole column, because
the layer undoes that at once.

Conventions: this is training mode, where the statistics are those of the batch. σ² is the biased variance,
divided by N. ε stands under the root. One row has no variance: with N = 1 the layer raises a `ValueError`.
"""


def batchnorm_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, D), gamma (D,), beta (D,) → out (N, D), cache."""
    raise NotImplementedError("batchnorm_forward: out = γ x̂ + β.  x (N, D), gamma (D,), beta (D,) → out (N…")


def batchnorm_backward(dout, cache):
    """dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,)."""
    raise NotImplementedError("batchnorm_backward: dout (N, D) → dx (N, D), dgamma (D,), dbeta (D,).")

# When it is written: autograd-check check batchnorm
