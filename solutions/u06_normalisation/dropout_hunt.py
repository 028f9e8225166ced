"""The dropout hunt
================

A hidden layer with dropout, in a network that trains; only its loss stays higher than it should. Its outputs are right: a share of 1 − p survives,
scaled by 1 / (1 − p), and in evaluation nothing is dropped. With p = 0 even every gradient is right, so the test that somebody wrote (with p = 0,
"to have no randomness in it") has always passed.

    h = relu(x w + b) · m / (1 − p)     m ~ Bernoulli(1 − p)     x (N, D), w (D, H), b (H,)  →  h (N, H)

One mistake was planted in this layer; everything else is right, and everything from earlier lessons is. Find it and fix it.
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
    """x (N, D), y (N, 1) → params [(w, b), (v, c)], history [(loss, accuracy), …], the accuracy without dropout."""
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
from autograd_check.course.samples import normal, transposed
from autograd_check.course.spec import (
    Benchmark,
    Claim,
    Lesson,
    Properties,
    Property,
    Stochastic,
    Unanswered,
    mistake,
    probe,
    variant,
)
from autograd_check.requests import Seed


def oracle(x, w, b):
    return torch.nn.functional.relu(torch.nn.functional.linear(x, w.T, b))


def _data(seed, rows, features=4):
    """Rows x (rows, features), of class 1 where they are far from the origin: no line separates the classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=generator, dtype=torch.float64)
    far = x.square().sum(1, keepdim=True)
    return x, (far > far.median()).to(torch.float64)


def _answer(candidate, function, *args, **kwargs):
    outcome = candidate.call(function, args, kwargs)
    if not outcome.ok:
        raise Unanswered(outcome.failure, function)
    return outcome.value


def gradient_without_noise(candidate, seed):
    """With p = 0 the network's gradients are torch's."""
    x, y = _data(seed, 12)
    generator = torch.Generator().manual_seed(seed + 1)
    w, b, v, c = (
        torch.randn(shape, generator=generator, dtype=torch.float64) + 0.3
        for shape in ((4, 6), (6,), (6, 1), (1,))
    )
    value = _answer(candidate, "loss_and_gradients", x, y, [(w, b), (v, c)], p=0.0, generator=Seed(seed))
    leaves = [p.clone().requires_grad_() for p in (w, b, v, c)]
    with torch.enable_grad():
        z = oracle(x, *leaves[:2]) @ leaves[2] + leaves[3]
        expected = torch.autograd.grad(torch.nn.functional.binary_cross_entropy_with_logits(z, y), leaves)
    try:
        gradients = [gradient for pair in value[1] for gradient in pair]
        wrong = [
            name
            for name, got, right in zip(("dw", "db", "dv", "dc"), gradients, expected, strict=True)
            if got.shape != right.shape or float((got - right).abs().max()) > 1e-9 * float(right.abs().max())
        ]
    except (TypeError, ValueError, AttributeError, IndexError):
        return Claim("loss_and_gradients must return (loss, [(dw, db), (dv, dc)]).", "wrong_shape")
    if wrong:
        return Claim(
            f"With p = 0 the network's {', '.join(wrong)} differ from torch's.",
            "missing_term",
            evidence={"wrong": wrong},
        )
    return Claim("with p = 0 the network's gradients are torch's")


def learns(candidate, seed):
    """On 120 rows that no line separates, 100 epochs with p = 0.2 reach 80 % from the better of two seeds."""
    x, y = _data(seed, 120)
    shares = []
    for s in (seed, seed + 1):
        value = _answer(candidate, "fit", x, y, hidden=24, p=0.2, lr=1.0, epochs=100, generator=Seed(s))
        try:
            shares.append(float(value[1][99][1]))
        except (TypeError, ValueError, IndexError):
            return Claim(
                "fit must return (params, history), with history [(loss, accuracy), …].", "wrong_shape"
            )
    if max(shares) < 0.8:
        return Claim(
            f"After 100 epochs {max(shares):.0%} of the rows are right; over 90 % can be.",
            "unknown",
            evidence={"accuracy": shares},
        )
    return Claim("the fixed network learns")


def _score(x, y, params):
    """Loss, gradients and accuracy without dropout, by torch."""
    leaves = [p.detach().clone().requires_grad_() for pair in params for p in pair]
    with torch.enable_grad():
        z = oracle(x, *leaves[:2]) @ leaves[2] + leaves[3]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        gradients = torch.autograd.grad(loss, leaves)
    return float(loss.detach()), gradients, float(((z > 0) == (y > 0.5)).to(x.dtype).mean())


def _two_epochs(candidate, x, y, seed, p):
    """Parameters and accuracy after the first epoch, parameters after the second, and the loss of the second."""
    hyper = {"hidden": 6, "lr": 0.3, "p": p, "generator": Seed(seed)}
    before, ((_, share),) = _answer(candidate, "fit", x, y, epochs=1, **hyper)
    after, (_, (loss, _)) = _answer(candidate, "fit", x, y, epochs=2, **hyper)
    return before, share, [q for pair in after for q in pair], loss


def goes_downhill(candidate, seed):
    """With p = 0 an epoch is a step of lr down torch's gradient; with p = 0.5 it is not, but the accuracy is without dropout."""
    x, y = _data(seed, 23)
    try:
        before, share, after, loss = _two_epochs(candidate, x, y, seed, 0.0)
        right_loss, gradients, right_share = _score(x, y, before)
        wrong = [
            name
            for name, old, new, g in zip(
                ("w", "b", "v", "c"), [q for pair in before for q in pair], after, gradients, strict=True
            )
            if float((old - 0.3 * g - new).abs().max()) > 1e-6 * (1 + float(new.abs().max()))
        ]
        told = abs(loss - right_loss) <= 1e-6 * (1 + right_loss) and abs(share - right_share) < 1e-6
        noisy = [_two_epochs(candidate, x, y, seed + number, 0.5) for number in range(3)]
        scores = [_score(x, y, before) for before, *_ in noisy]
        told = told and all(abs(one[1] - score[2]) < 1e-6 for one, score in zip(noisy, scores, strict=True))
        dropped = any(abs(one[3] - score[0]) > 1e-6 for one, score in zip(noisy, scores, strict=True))
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return Claim(
            "fit must return (params, history), with history [(loss, accuracy), …], one pair for each epoch.",
            "wrong_shape",
        )
    if wrong:
        return Claim(
            f"With p = 0 an epoch of fit is no step of lr down the gradient: {', '.join(wrong)}.",
            "forward_wrong",
        )
    if not told:
        return Claim(
            "fit's history must hold the loss before each step, and the accuracy after it, without dropout.",
            "forward_wrong",
        )
    if not dropped:
        return Claim(
            "With p = 0.5 fit trains as if p were 0: dropout is for training, so there it must drop.",
            "mask_missing",
        )
    return Claim("each epoch is a step down the gradient of its thinned network")


def _mask(like, p, generator):
    return (torch.rand(like.shape, generator=generator) >= p).to(like.dtype) / (1 - p)


def _planted_forward(x, w, b, *, p, train, generator):
    active = (x @ w + b).clamp(min=0)
    p = p if train else 0.0
    return active * _mask(active, p, generator), (x, w, active, p, generator)


def _planted_backward(dh, cache):
    x, w, active, p, generator = cache
    dz = dh * _mask(active, p, generator) * (active > 0)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def _no_mask_backward(dh, cache):
    x, w, active, _ = cache
    dz = dh * (active > 0)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def _unscaled_backward(dh, cache):
    x, w, active, mask = cache
    dz = dh * (mask > 0) * (active > 0)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def _from_output_forward(x, w, b, *, p, train, generator):
    rate = p if train else 0.0
    z = torch.einsum("nd,dh->nh", x, w) + b
    dropped = torch.rand(z.shape, generator=generator, dtype=z.dtype) < rate
    h = z / (1 - rate)
    h[dropped | (z <= 0)] = 0
    return h, {"x": x, "w": w, "h": h, "keep": 1 - rate}


def _from_output_backward(dh, cache):
    dz = dh.clone()
    dz[cache["h"] == 0] = 0
    dz /= cache["keep"]
    return [
        torch.einsum("nh,dh->nd", dz, cache["w"]),
        torch.einsum("nd,nh->dh", cache["x"], dz),
        torch.einsum("nh->h", dz),
    ]


def _seeded_forward(x, w, b, *, p, train, generator):
    rate = p if train else 0.0
    active = torch.relu(x @ w + b)
    state = generator.get_state()
    return active * _mask(active, rate, generator), (x, w, active, rate, state)


def _seeded_backward(dh, cache):
    x, w, active, rate, state = cache
    generator = torch.Generator()
    generator.set_state(state)
    dz = torch.where(active > 0, dh * _mask(active, rate, generator), torch.zeros_like(dh))
    return dz.mm(w.t()), x.t().mm(dz), dz.sum(dim=0)


def _tape_forward(x, w, b, *, p, train, generator):
    z = x @ w + b
    slope = (z > 0).to(z.dtype)
    if train:
        slope = slope * torch.bernoulli(torch.full_like(z, 1 - p), generator=generator) / (1 - p)
    return z * slope, lambda dh: ((dh * slope) @ w.T, x.T @ (dh * slope), (dh * slope).sum(0))


def _tape_backward(dh, cache):
    return cache(dh)


def _bench(hunt):
    x, y = _data(0, 455)
    generator = torch.Generator().manual_seed(0)
    w, b, v, c = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((4, 24), (24,), (24, 1), (1,))
    )
    leaves = [p.clone().requires_grad_() for p in (w, b, v, c)]

    def torchs():
        h = torch.nn.functional.dropout(oracle(x, *leaves[:2]), 0.3)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(h @ leaves[2] + leaves[3], y)
        return torch.autograd.grad(loss, leaves)

    return lambda: hunt["loss_and_gradients"](x, y, [(w, b), (v, c)], p=0.3, generator=generator), torchs


LESSON = Lesson(
    name="dropout_hunt",
    title="The dropout hunt",
    source="Srivastava, Hinton et al., Dropout (2014), section 5.1: the gradient is of the thinned network of this very forward pass",
    requires=("dropout", "training"),
    forbids=("dropout", "native_dropout", "binary_cross_entropy_with_logits"),
    points=10,
    minutes=15,
    given=True,
    tasks=(
        Stochastic(
            "hidden",
            wrt=("x", "w", "b"),
            oracle=oracle,
            probes=(
                probe("6 rows, 4 features, 7 units", x=normal(6, 4), w=normal(4, 7), b=normal(7)),
                probe("batch of one", x=normal(1, 3), w=normal(3, 8), b=normal(8)),
                probe("non-contiguous", x=transposed(normal(3, 5)), w=transposed(normal(6, 3)), b=normal(6)),
            ),
            bulk=probe("60 rows, 60 units", x=normal(60, 20), w=normal(20, 60), b=normal(60)),
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
    target=None,
    mistakes=(
        mistake(
            "as handed out: the mask is drawn again",
            "mask_redrawn",
            hidden_forward=_planted_forward,
            hidden_backward=_planted_backward,
        ),
        mistake("no mask in the backward at all", "mask_missing", hidden_backward=_no_mask_backward),
        mistake("masked, but not rescaled", "constant_factor", hidden_backward=_unscaled_backward),
        mistake(
            "a seed of its own",
            "wrong_distribution",
            "generator=generator) >= p",
            "generator=torch.Generator().manual_seed(0)) >= p",
        ),
        mistake("drops in evaluation too", "forward_wrong", "p if train else 0.0", "p"),
        mistake("relu forgotten on the way", "missing_term", " * (active > 0)", ""),
        mistake("fixed by not dropping any more", "wrong_distribution", "p if train else 0.0", "0.0"),
    ),
    variants=(
        variant(
            "mask read from the output, in-place assignment",
            hidden_forward=_from_output_forward,
            hidden_backward=_from_output_backward,
        ),
        variant(
            "the generator's state kept", hidden_forward=_seeded_forward, hidden_backward=_seeded_backward
        ),
        variant("one slope, and a closure", hidden_forward=_tape_forward, hidden_backward=_tape_backward),
    ),
    hints=(
        "Call the backward twice with one cache. Should the two results differ?",
        "Follow the generator: who draws from it, in which order? What does a generator give when it is asked a second time?",
        "The gradient belongs to the network that made this very output. What must the forward hand to the backward for that?",
    ),
)
### END SPEC
