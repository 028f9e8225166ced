"""The dropout hunt
================

A hidden layer with dropout, in a network that trains; only its loss stays higher than it should. Its outputs
are right: a share of 1 − p survives, scaled by 1 / (1 − p), and in evaluation nothing is dropped. With p = 0
even every gradient is right, so the test that somebody wrote (with p = 0, "to have no randomness in it") has
always passed.

    h = relu(x w + b) · m / (1 − p)     m ~ Bernoulli(1 − p)     x (N, D), w (D, H), b (H,)  →  h (N, H)

One mistake was planted in this layer; everything else is right, and everything from earlier lessons is. Find
it and fix it.
"""

import torch

from solutions.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from solutions.u02_network.initialisation import he_normal
from solutions.u02_network.linear import linear_backward, linear_forward


def hidden_forward(x, w, b, *, p, train, generator):
    """x (N, D), w (D, H), b (H,) → h (N, H), cache."""
    ### BEGIN SOLUTION
    active = (x @ w + b).clamp(min=0)
    mask = dropout_mask(active, p if train else 0.0, generator)
    return active * mask, (x, w, active, mask)
    ### END SOLUTION
    ### BEGIN STUB
    # active = (x @ w + b).clamp(min=0)
    # p = p if train else 0.0
    # mask = dropout_mask(active, p, generator)
    # return active * mask, (x, w, active, p, generator)
    ### END STUB


def hidden_backward(dh, cache):
    """dh (N, H) → dx (N, D), dw (D, H), db (H,)."""
    ### BEGIN SOLUTION
    x, w, active, mask = cache
    dz = dh * mask * (active > 0)
    return dz @ w.T, x.T @ dz, dz.sum(0)
    ### END SOLUTION
    ### BEGIN STUB
    # x, w, active, p, generator = cache
    # mask = dropout_mask(active, p, generator)  # as in the forward
    # dz = dh * mask * (active > 0)
    # return dz @ w.T, x.T @ dz, dz.sum(0)
    ### END STUB


def dropout_mask(like, p, generator):
    """0 with probability p, else 1 / (1 − p), in the shape of `like`."""
    return (torch.rand(like.shape, generator=generator) >= p).to(like.dtype) / (1 - p)


def loss_and_gradients(x, y, params, *, p, generator):
    """x (N, D), y (N, 1), params [(w, b), (v, c)] → loss (), dparams [(dw, db), (dv, dc)]."""
    (w, b), (v, c) = params
    h, hidden_cache = hidden_forward(x, w, b, p=p, train=True, generator=generator)
    z, linear_cache = linear_forward(h, v, c)
    loss, loss_cache = bce_with_logits_forward(z, y)
    dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    dh, dv, dc = linear_backward(dz, linear_cache)
    _, dw, db = hidden_backward(dh, hidden_cache)
    return loss, [(dw, db), (dv, dc)]


def fit(x, y, *, hidden, p, lr, epochs, generator):
    """x (N, D), y (N, 1) → params, history [(loss, accuracy), …], the accuracy without dropout."""
    sizes = ((x.shape[1], hidden), (hidden, 1))
    params = [
        (he_normal(i, o, generator=generator).to(x.dtype), torch.zeros(o, dtype=x.dtype)) for i, o in sizes
    ]
    history = []
    for _ in range(epochs):
        loss, dparams = loss_and_gradients(x, y, params, p=p, generator=generator)
        params = [(w - lr * dw, b - lr * db) for (w, b), (dw, db) in zip(params, dparams, strict=True)]
        (w, b), (v, c) = params
        z = hidden_forward(x, w, b, p=p, train=False, generator=generator)[0] @ v + c
        history.append((float(loss), float(((z > 0) == (y > 0.5)).to(x.dtype).mean())))
    return params, history


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import DROPOUTS, Benchmark, Cause, Lesson, Stochastic, drop, edit, wrong
from autograd_check.course.claims import Claim, Properties, Property, answer, close, flat, number, two
from autograd_check.course.networks import relu_network
from autograd_check.requests import Seed

NAMES = ("w", "b", "v", "c")
FORM = "fit must return (params, history), with history [(loss, accuracy), …], one pair for each epoch."
HISTORY = "fit's history must hold the loss before each step, and the accuracy after it, without dropout."
DROPS = "With p = 0.5 fit trains as if p were 0: dropout is for training, so there it must drop."


def _data(seed, rows):
    """Rows x (rows, 4), of class 1 where they are far from the origin: no line separates the classes."""
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    far = x.square().sum(1, keepdim=True)
    return x, (far > far.median()).to(x.dtype)


def _params(seed, width):
    generator, shapes = torch.Generator().manual_seed(seed), ((4, width), (width,), (width, 1), (1,))
    return [torch.randn(s, generator=generator, dtype=torch.float64) + 0.3 for s in shapes]


def _plain(x, y, params):
    """Loss, gradients and accuracy without dropout, by torch."""
    leaves = [p.detach().to(x.dtype).requires_grad_() for p in params]
    with torch.enable_grad():
        z = relu_network(x, [leaves[:2], leaves[2:]])
        loss = F.binary_cross_entropy_with_logits(z, y)
    return loss.detach(), torch.autograd.grad(loss, leaves), ((z > 0) == (y > 0.5)).to(x.dtype).mean()


def _differing(got, right, tolerance):
    return [name for name, g, r in zip(NAMES, got, right, strict=True) if not close(g, r, tolerance)]


def _trained(candidate, data, epochs, **hyper):
    """w, b, v, c, and the last loss and accuracy; nothing where they have another form."""
    params, history = two(answer(candidate, "fit", *data, epochs=epochs, **hyper))
    last = history[-1] if isinstance(history, (tuple, list)) and len(history) == epochs else None
    loss, share = map(number, two(last))
    params, h = flat(params), hyper["hidden"]
    right = [tuple(p.shape) for p in params] == [(4, h), (h,), (h, 1), (1,)]
    return (params, loss, share) if right and loss is not None and share is not None else None


def gradient_without_noise(candidate, seed):
    """With p = 0 the network's gradients are torch's."""
    (x, y), (w, b, v, c) = _data(seed, 12), _params(seed + 1, 6)
    value = answer(candidate, "loss_and_gradients", x, y, [(w, b), (v, c)], p=0.0, generator=Seed(seed))
    gradients = flat(two(value)[1])
    if len(gradients) != 4:
        return Claim("loss_and_gradients must return (loss, [(dw, db), (dv, dc)]).", Cause.WRONG_SHAPE)
    if wrong := ["d" + name for name in _differing(gradients, _plain(x, y, (w, b, v, c))[1], 1e-9)]:
        says = f"With p = 0 the network's {', '.join(wrong)} differ from torch's."
        return Claim(says, Cause.MISSING_TERM, evidence={"wrong": wrong})
    return Claim("with p = 0 the network's gradients are torch's")


def goes_downhill(candidate, seed):
    """With p = 0 an epoch is a step down torch's gradient; with p = 0.5 it is not, but the accuracy is without dropout."""
    data, runs = _data(seed, 23), []
    for start, p in ((seed, 0.0), (seed, 0.5), (seed + 1, 0.5), (seed + 2, 0.5)):
        hyper = {"hidden": 6, "lr": 0.3, "p": p, "generator": Seed(start)}
        pair = [_trained(candidate, data, epochs, **hyper) for epochs in (1, 2)]
        if None in pair:
            return Claim(FORM, Cause.WRONG_SHAPE)
        runs.append((*pair, _plain(*data, pair[0][0])))
    ((before, _, _), (after, _, _), (_, gradients, _)), *_ = runs
    if wrong := _differing(after, [p - 0.3 * g for p, g in zip(before, gradients, strict=True)], 1e-6):
        says = f"With p = 0 an epoch of fit is no step of lr down the gradient: {', '.join(wrong)}."
        return Claim(says, Cause.FORWARD_WRONG)
    losses = [close(second[1], loss, 1e-6) for _, second, (loss, _, _) in runs]
    if not losses[0] or not all(close(first[2], share, 1e-6) for first, _, (_, _, share) in runs):
        return Claim(HISTORY, Cause.FORWARD_WRONG)
    if all(losses):
        return Claim(DROPS, Cause.MASK_MISSING)
    return Claim("each epoch is a step down the gradient of its thinned network")


def learns(candidate, seed):
    """On 120 rows that no line separates, 100 epochs with p = 0.2 reach 80 % from the better of two seeds."""
    hyper, data = {"hidden": 24, "p": 0.2, "lr": 1.0}, _data(seed, 120)
    runs = [_trained(candidate, data, 100, **hyper, generator=Seed(s)) for s in (seed, seed + 1)]
    if None in runs:
        return Claim(FORM, Cause.WRONG_SHAPE)
    shares = [float(share) for _, _, share in runs]
    says = f"After 100 epochs {max(shares):.0%} of the rows are right; over 90 % can be."
    return Claim(says, "" if max(shares) >= 0.8 else "unknown", evidence={"accuracy": shares})


def _bench(hunt):
    (x, y), (w, b, v, c), generator = _data(0, 455), _params(0, 24), torch.Generator().manual_seed(0)
    leaves = [p.clone().requires_grad_() for p in (w, b, v, c)]

    def torchs():
        h = F.dropout(F.relu(x @ leaves[0] + leaves[1]), 0.3)
        loss = F.binary_cross_entropy_with_logits(h @ leaves[2] + leaves[3], y)
        return torch.autograd.grad(loss, leaves)

    return lambda: hunt["loss_and_gradients"](x, y, [(w, b), (v, c)], p=0.3, generator=generator), torchs


LESSON = Lesson(
    name="dropout_hunt",
    title="The dropout hunt",
    source="Srivastava, Hinton et al., Dropout (2014), section 5.1: the gradient is of the thinned network",
    requires=("dropout", "training"),
    forbids=(*DROPOUTS, "binary_cross_entropy_with_logits"),
    points=10,
    minutes=15,
    given=True,
    tasks=(
        Stochastic(
            "x[N,D] w[D,H] b[H] -> h[N,H]",
            name="hidden",
            oracle=lambda x, w, b: F.relu(F.linear(x, w.T, b)),
            sizes=dict(N=6, D=4, H=7),
            bulk=(dict(N=60, D=20, H=60),),
            rates=(0.0, 0.2, 0.5, 0.8),
        ),
        Properties(
            functions=("loss_and_gradients", "fit"),
            properties=(
                Property("without noise", gradient_without_noise, subject="dparams"),
                Property("downhill", goes_downhill, subject="fit"),
                Property("learns", learns, subject="fit"),
            ),
        ),
    ),
    benchmarks=(Benchmark("forward+backward", "455 rows, 4-24-1", _bench),),
    mistakes=(
        wrong("as handed out: the mask is drawn again", Cause.MASK_REDRAWN),
        wrong("no mask in the backward at all", Cause.MASK_MISSING),
        wrong("masked, but not rescaled", Cause.CONSTANT_FACTOR),
        edit("generator) >= p", "torch.Generator()) >= p", "a seed of its own", Cause.WRONG_DISTRIBUTION),
        edit("p if train else 0.0", "p", "drops in evaluation too", Cause.FORWARD_WRONG),
        drop(" * (active > 0)", "relu forgotten on the way", Cause.MISSING_TERM),
        edit("p if train else 0.0", "0.0", "fixed by not dropping any more", Cause.WRONG_DISTRIBUTION),
    ),
    why="The gradient belongs to the network that made this output. A mask that is drawn again in the backward pass differentiates another network.",
    hints=(
        "Call the backward twice with one cache. Should the two results differ?",
        "Follow the generator: who draws from it, in which order? What does a generator give when it is asked a second time?",
        "The gradient belongs to the network that made this very output. What must the forward hand to the backward for that?",
    ),
)
### END SPEC
