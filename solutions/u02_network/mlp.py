"""Multi-layer perceptron
======================

Layers in a row, each fed by the one before, with a relu between them and none after the last:

    h₀ = x,    hₖ = relu(hₖ₋₁ wₖ + bₖ),    z = h_{L−1} w_L + b_L      x (N, D)  →  z (N, M)

params is the list [(w₁, b₁), …, (w_L, b_L)]; wₖ has as many rows as the layer before has outputs.

The chain rule walks the same path backwards. Each layer takes the gradient with respect to its output, gives the gradients of its own w and
b, and hands the gradient of its input to the layer before: relu and linear, the very functions you have written, in reverse order.

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
import torch

from autograd_check.course.samples import normal, sequence, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def layers(*dims):
    """Parameters for these sizes, with biases that keep most units on."""
    return sequence(*((normal(i, o), normal(o, scale=0.5, shift=0.5)) for i, o in zip(dims, dims[1:], strict=False)))


def oracle(x, params):
    for w, b in params[:-1]:
        x = torch.relu(torch.nn.functional.linear(x, w.T, b))
    w, b = params[-1]
    return torch.nn.functional.linear(x, w.T, b)


def _recursive_forward(x, params):
    (w, b), *rest = params
    z = x @ w + b
    if not rest:
        return z, (x, w, None)
    out, cache = _recursive_forward(torch.where(z > 0, z, 0 * z), rest)
    return out, (x, w, (z, cache))


def _recursive_backward(dz, cache):
    x, w, above = cache
    dparams = []
    if above is not None:
        z, inner = above
        dh, dparams = _recursive_backward(dz, inner)
        dz = dh * (z > 0).to(dh.dtype)
    return dz @ w.T, [(x.T @ dz, dz.sum(0)), *dparams]


def _tape_forward(x, params):
    tape = []
    h = x
    for k, (w, b) in enumerate(params):
        tape.append(lambda g, h=h, w=w: (g.mm(w.t()), (h.t().mm(g), g.sum(dim=0))))
        h = h.mm(w) + b
        if k < len(params) - 1:
            tape.append(lambda g, on=h > 0: (g * on, None))
            h = h.clamp(min=0)
    return h, tape


def _tape_backward(dz, cache):
    dparams = []
    for step in cache[::-1]:
        dz, found = step(dz)
        if found is not None:
            dparams.insert(0, found)
    return [dz, dparams]


def _stored_forward(x, params):
    inputs = [x]
    for w, b in params:
        z = torch.einsum("nd,dm->nm", inputs[-1], w) + b
        hidden = z.clone()
        hidden[hidden < 0] = 0
        inputs.append(hidden)
    return z, {"inputs": inputs, "weights": [w for w, _ in params]}


def _stored_backward(dz, cache):
    weights, inputs = cache["weights"], cache["inputs"]
    dparams = [None] * len(weights)
    for k in range(len(weights) - 1, -1, -1):
        if k < len(weights) - 1:
            dz = dz.clone()
            dz[inputs[k + 1] == 0] = 0
        dparams[k] = [inputs[k].T @ dz, torch.einsum("nm->m", dz)]
        dz = torch.einsum("nm,dm->nd", dz, weights[k])
    return dz, dparams


LESSON = Lesson(
    name="mlp",
    title="The multi-layer perceptron",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), algorithms 6.3 and 6.4",
    requires=("linear", "relu", "bce_with_logits"),
    points=15,
    minutes=25,
    target=None,
    tasks=(
        Pair(
            "mlp",
            wrt=("x", "params"),
            oracle=oracle,
            bench=probe("455 rows, 30-4-3-2-1", x=normal(455, 30), params=layers(30, 4, 3, 2, 1)),
            leaves={"params": ("w", "b")},
            probes=(
                probe("three layers, 6-7-5-2", x=normal(4, 6), params=layers(6, 7, 5, 2)),
                probe("the course's network, 30-4-3-2-1", x=normal(9, 30), params=layers(30, 4, 3, 2, 1)),
                probe("square layers, 4-4-4", x=normal(4, 4), params=layers(4, 4, 4)),
                probe("one layer", x=normal(5, 3), params=layers(3, 2)),
                probe("batch of one", x=normal(1, 3), params=layers(3, 8, 2)),
                probe("non-contiguous", x=transposed(normal(4, 6)), params=layers(4, 5, 3)),
            ),
        ),
    ),
    mistakes=(
        mistake("relu not passed backwards", "mask_missing", "dx = relu_backward(dx, relu_cache)", "pass"),
        mistake("gradients from last to first", "swapped", "dparams[::-1]", "dparams"),
        mistake("layers in forward order", "crashed", "reversed(caches)", "caches"),
        mistake(
            "upstream ignored", "ignores_upstream", "linear_backward(dz, last_cache)", "linear_backward(dz * 0 + 1, last_cache)"
        ),
        mistake("relu after the last layer", "forward_wrong", "return z, (caches", "return relu_forward(z)[0], (caches"),
        mistake("no relu at all", "forward_wrong", "x, relu_cache = relu_forward(x)", "_, relu_cache = relu_forward(x)"),
    ),
    variants=(
        variant("recursion", mlp_forward=_recursive_forward, mlp_backward=_recursive_backward),
        variant("a tape of closures", mlp_forward=_tape_forward, mlp_backward=_tape_backward),
        variant("stored activations, mask assignment", mlp_forward=_stored_forward, mlp_backward=_stored_backward),
    ),
    hints=(
        "Keep the cache of every layer as you go forward; going backward you need them all, in reverse order.",
        "linear_backward gives three gradients: two belong to this layer, the first is the dout of the layer before.",
        "Start with linear_backward on the last layer, then for each layer before it: relu_backward, linear_backward. Put dparams in order at the end.",
    ),
)
### END SPEC
