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

from solutions.u02_network.linear import linear_backward, linear_forward
from solutions.u02_network.relu import relu_backward, relu_forward


def mlp_forward(x, params):
    """x (N, D), params [(w, b), …] → z (N, M), cache."""
    ### BEGIN SOLUTION
    caches = []
    for w, b in params[:-1]:
        x, linear_cache = linear_forward(x, w, b)
        x, relu_cache = relu_forward(x)
        caches.append((linear_cache, relu_cache))
    z, last_cache = linear_forward(x, *params[-1])
    return z, (caches, last_cache)
    ### END SOLUTION


def mlp_backward(dz, cache):
    """dz (N, M) → dx (N, D), dparams [(dw, db), …]."""
    ### BEGIN SOLUTION
    caches, last_cache = cache
    dx, dw, db = linear_backward(dz, last_cache)
    dparams = [(dw, db)]
    for linear_cache, relu_cache in reversed(caches):
        dx = relu_backward(dx, relu_cache)
        dx, dw, db = linear_backward(dx, linear_cache)
        dparams.append((dw, db))
    return dx, dparams[::-1]
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import Cause, Layer, Lesson, at, edit, network, relu_network, standard

LESSON = Lesson(
    name="mlp",
    title="The multi-layer perceptron",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), algorithms 6.3 and 6.4",
    requires=("linear", "relu", "bce_with_logits"),
    points=15,
    minutes=25,
    tasks=(
        Layer(
            "x[N,D] params -> z[N,M]",
            oracle=relu_network,
            sizes=dict(N=4, D=6, H=7, K=5, M=2),
            draw=dict(params=network("D", "H", "K", "M")),
            bench=dict(N=455, D=30, params=network("D", 4, 3, 2, 1)),
            probes=(
                at("the course's network, 30-4-3-2-1", N=9, D=30, params=network("D", 4, 3, 2, 1)),
                at("one layer", params=network("D", "M")),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("dx = relu_backward(dx, relu_cache)", "pass", "relu not passed backwards", Cause.MASK_MISSING),
        edit("dparams[::-1]", "dparams", "gradients from last to first", Cause.SWAPPED),
        edit("reversed(caches)", "caches", "layers in forward order", Cause.CRASHED),
        edit(
            "return z, (caches",
            "return relu_forward(z)[0], (caches",
            "relu after the last layer",
            Cause.FORWARD_WRONG,
        ),
        edit(
            "x, relu_cache = relu_forward(x)",
            "_, relu_cache = relu_forward(x)",
            "no relu at all",
            Cause.FORWARD_WRONG,
        ),
    ),
    why="A chain of layers is undone from its end: the gradient that comes out of one backward pass is the dout of the layer before, and those of the parameters are picked up on the way.",
    hints=(
        "Keep the cache of every layer as you go forward; going backward you need them all, in reverse order.",
        "linear_backward gives three gradients: two belong to this layer, the first is the dout of the layer before.",
        "Start with linear_backward on the last layer, then for each layer before it: relu_backward, linear_backward. Put dparams in order at the end.",
    ),
)
### END SPEC
