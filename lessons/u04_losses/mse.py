"""Mean squared error
==================

How far is a prediction p from the truth y? The mean squared error averages the squares of all entries'
distances:

    loss = 1/N Σ (p − y)²      p, y of one shape with N entries  →  a 0-d tensor

Each entry of p stands in one term of the sum, and the mean takes that term N times smaller. p is the
prediction, so it alone gets a gradient.

Conventions: N counts entries, not rows: for p (4, 3) it is 12. p and y must have one shape. (N, 1) against
(N,) would broadcast to N × N pairs without a word, so it raises a `ValueError` that names both shapes.
"""


def mse_forward(p, y):
    """Mean of (p − y)².  p, y of one shape → loss (), cache."""
    raise NotImplementedError("mse_forward: Mean of (p − y)².  p, y of one shape → loss (), cache.")


def mse_backward(dout, cache):
    """dout () → dp like p."""
    raise NotImplementedError("mse_backward: dout () → dp like p.")

# When it is written: autograd-check check mse
