"""Mean absolute error
===================

Squares let one outlier outvote all other entries. The mean absolute error counts every distance as it is:

    loss = 1/N Σ |p − y|      p, y of one shape with N entries  →  a 0-d tensor

What |r| gains when r grows a little is the same for every r of one sign: the gradient knows only on which
side of the truth a prediction lies, never how far away.

Conventions: where p = y the absolute value has no slope; this course takes 0, the middle of all slopes that
touch it there. N counts entries. p and y must have one shape, else a `ValueError` names both shapes.
"""


def mae_forward(p, y):
    """Mean of |p − y|.  p, y of one shape → loss (), cache."""
    raise NotImplementedError("mae_forward: Mean of |p − y|.  p, y of one shape → loss (), cache.")


def mae_backward(dout, cache):
    """dout () → dp like p, 0 where p = y."""
    raise NotImplementedError("mae_backward: dout () → dp like p, 0 where p = y.")

# When it is written: autograd-check check mae
