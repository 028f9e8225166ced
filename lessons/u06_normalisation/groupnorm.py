"""Group normalisation
===================

Between one statistic for a whole sample (layer norm) and one for each channel of a sample (instance norm)
lies a choice: split the C channels into groups of neighbours, and normalise every group of every sample on
its own.

    x (N, C, H, W)  →  (N, G, C/G, H, W): μ and σ² over the last three axes, one for each sample and group
    x̂ = (x − μ) / √(σ² + ε)     out = γ[c] x̂ + β[c]

γ and β (C,) stay one for each channel  →  out (N, C, H, W). The batch plays no part, so a batch of one is as
good as any.

Backwards the means are over a group, as in layer norm over a row. Mind where γ belongs: it differs from
channel to channel inside a group.

Conventions: groups divides C; biased variance; ε under the root; x may be any view, contiguous in memory or
not.
"""


def groupnorm_forward(x, gamma, beta, *, groups, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    raise NotImplementedError("groupnorm_forward: out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) →…")


def groupnorm_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    raise NotImplementedError("groupnorm_backward: dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta…")

# When it is written: autograd-check check groupnorm
