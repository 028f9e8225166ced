"""Instance normalisation
======================

Every channel of every image on its own: what is bright or dark, strong or faint in this image is taken out,
and only the pattern remains. Style transfer, where the contrast of the content image should not matter, made
it known.

    μ, σ² over the pixels: (N, C)     x̂ = (x − μ) / √(σ² + ε)     out = γ[c] x̂ + β[c]

x (N, C, H, W), γ and β (C,)  →  out (N, C, H, W).

Backwards the means of x's gradient are over the H W pixels of one channel of one image, while γ and β are
shared by all images: what is averaged and what is summed runs over different axes.

Conventions: biased variance, divided by H W; ε under the root; x may be any view, contiguous in memory or
not.
"""


def instancenorm2d_forward(x, gamma, beta, *, eps=1e-5):
    """out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C,) → out (N, C, H, W), cache."""
    raise NotImplementedError("instancenorm2d_forward: out = γ x̂ + β.  x (N, C, H, W), gamma (C,), beta (C…")


def instancenorm2d_backward(dout, cache):
    """dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), dbeta (C,)."""
    raise NotImplementedError("instancenorm2d_backward: dout (N, C, H, W) → dx (N, C, H, W), dgamma (C,), d…")

# When it is written: autograd-check check instancenorm2d
