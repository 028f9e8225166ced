"""Linear layer
============

Every row of x is one sample; the layer maps its D features to M outputs:

    out = x w + b        x (N, D), w (D, M), b (M,)  →  out (N, M)

The backward pass takes dout, the gradient of the loss with respect to out, and gives the gradient with
respect to each input. Written for one entry: out[n, m] = Σ_d x[n, d] w[d, m] + b[m]. So x[n, d] reaches the
loss through row n of out only, w[d, m] through column m only, and b[m] through all of column m.
"""


def linear_forward(x, w, b):
    """out = x w + b.  x (N, D), w (D, M), b (M,) → out (N, M), cache."""
    raise NotImplementedError("linear_forward: out = x w + b.  x (N, D), w (D, M), b (M,) → out (N, M), cac…")


def linear_backward(dout, cache):
    """dout (N, M) → dx (N, D), dw (D, M), db (M,)."""
    raise NotImplementedError("linear_backward: dout (N, M) → dx (N, D), dw (D, M), db (M,).")

# When it is written: autograd-check check linear
