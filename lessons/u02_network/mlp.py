"""Multi-layer perceptron
======================

Layers in a row, each fed by the one before, with a relu between them and none after the last:

    h₀ = x,    hₖ = relu(hₖ₋₁ wₖ + bₖ),    z = h_{L−1} w_L + b_L      x (N, D)  →  z (N, M)

params is the list [(w₁, b₁), …, (w_L, b_L)]; wₖ has as many rows as the layer before has outputs.

The chain rule walks the same path backwards. Each layer takes the gradient with respect to its output, gives
the gradients of its own w and b, and hands the gradient of its input to the layer before: relu and linear,
the very functions you have written, in reverse order.

Convention: dparams mirrors params, a list of (dw, db) from the first layer to the last.
"""

from lessons.u02_network.linear import linear_backward, linear_forward
from lessons.u02_network.relu import relu_backward, relu_forward


def mlp_forward(x, params):
    """x (N, D), params [(w, b), …] → z (N, M), cache."""
    raise NotImplementedError("mlp_forward: x (N, D), params [(w, b), …] → z (N, M), cache.")


def mlp_backward(dz, cache):
    """dz (N, M) → dx (N, D), dparams [(dw, db), …]."""
    raise NotImplementedError("mlp_backward: dz (N, M) → dx (N, D), dparams [(dw, db), …].")

# When it is written: autograd-check check mlp
