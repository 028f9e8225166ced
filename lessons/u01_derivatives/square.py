"""Square
======

The smallest function worth differentiating, entry by entry:

    out = x²      x of any shape  →  out of the same shape

A lesson is a pair of functions. The forward pass computes out, and puts into the cache whatever the backward
pass will need. The backward pass is handed dout, the gradient ∂L/∂out of some loss L with respect to out: how
much L grows when an entry of out does. It returns the gradient with respect to x, by the chain rule:

    dx = ∂L/∂x = ∂L/∂out · ∂out/∂x

Where dout comes from is not its business, and it is hardly ever 1. What is left to find is the slope ∂out/∂x.

Convention, here and everywhere: neither x nor dout is changed in place, and results have the dtype of x.
"""


def square_forward(x):
    """out = x².  x any shape → out of the same shape, cache."""
    raise NotImplementedError("square_forward: out = x².  x any shape → out of the same shape, cache.")


def square_backward(dout, cache):
    """dout like x → dx like x."""
    raise NotImplementedError("square_backward: dout like x → dx like x.")

# When it is written: autograd-check check square
