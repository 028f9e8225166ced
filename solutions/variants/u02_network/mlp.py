"""Multi-layer perceptron: other right ways to write it."""

import torch

from autograd_check.course import variant


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


VARIANTS = (
    variant("recursion", mlp_forward=_recursive_forward, mlp_backward=_recursive_backward),
    variant("a tape of closures", mlp_forward=_tape_forward, mlp_backward=_tape_backward),
    variant(
        "stored activations, mask assignment", mlp_forward=_stored_forward, mlp_backward=_stored_backward
    ),
)
