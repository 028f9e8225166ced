"""The batch norm hunt
===================

A network with batch normalisation, and it looks well: the loss falls, nothing is nan, the accuracy climbs
past 90 %, hardly later than it should. Still, what its hidden layer calls a gradient is none. One path
through which x reaches the loss was left out when the layer was derived, and because what remains still
points downhill, nobody has noticed.

The layer is linear map, batch norm and relu in one (a bias would be pointless: the batch mean takes it out
again):

    a = x w     μ, σ² over the batch     x̂ = (a − μ) / √(σ² + ε)     h = relu(γ x̂ + β)

x (N, D), w (D, H), γ and β (H,)  →  h (N, H). Its forward is right, and so is everything that comes from
earlier lessons. Find the missing path and put it in: a wrong gradient that trains is the kind that stays for
years.
"""

import torch

from solutions.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from solutions.u02_network.initialisation import he_normal
from solutions.u02_network.linear import linear_backward, linear_forward


def hidden_forward(x, w, gamma, beta, *, eps=1e-5):
    """x (N, D), w (D, H), gamma (H,), beta (H,) → h (N, H), cache."""
    a = x @ w
    centred = a - a.mean(0)
    rstd = torch.rsqrt(centred.square().mean(0) + eps)
    h = (gamma * centred * rstd + beta).clamp(min=0)
    return h, (x, w, gamma, centred, rstd, h)


def hidden_backward(dh, cache):
    """dh (N, H) → dx (N, D), dw (D, H), dgamma (H,), dbeta (H,)."""
    ### BEGIN SOLUTION
    x, w, gamma, centred, rstd, h = cache
    dout = dh * (h > 0)
    dgamma = (dout * centred * rstd).sum(0)
    dbeta = dout.sum(0)
    dxhat = dout * gamma
    drstd = (dxhat * centred).sum(0)
    dvariance = -0.5 * rstd**3 * drstd
    dcentred = dxhat * rstd + dvariance * 2 * centred / len(x)
    da = dcentred - dcentred.mean(0)  # every row was shifted by the mean of all rows
    return da @ w.T, x.T @ da, dgamma, dbeta
    ### END SOLUTION
    ### BEGIN STUB
    # x, w, gamma, centred, rstd, h = cache
    # dout = dh * (h > 0)
    # dgamma = (dout * centred * rstd).sum(0)
    # dbeta = dout.sum(0)
    # dxhat = dout * gamma
    # dcentred = dxhat * rstd
    # da = dcentred - dcentred.mean(0)  # every row was shifted by the mean of all rows
    # return da @ w.T, x.T @ da, dgamma, dbeta
    ### END STUB


def loss_and_gradients(x, y, params):
    """x (N, D), y (N, 1), params (w, gamma, beta, v, c) → loss (), gradients in the same order."""
    w, gamma, beta, v, c = params
    h, hidden_cache = hidden_forward(x, w, gamma, beta)
    z, linear_cache = linear_forward(h, v, c)
    loss, loss_cache = bce_with_logits_forward(z, y)
    dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
    dh, dv, dc = linear_backward(dz, linear_cache)
    _, dw, dgamma, dbeta = hidden_backward(dh, hidden_cache)
    return loss, (dw, dgamma, dbeta, dv, dc)


def fit(x, y, *, hidden, lr, epochs, generator):
    """x (N, D), y (N, 1) → params (w, gamma, beta, v, c), history [(loss, accuracy), …]."""
    params = (
        he_normal(x.shape[1], hidden, generator=generator).to(x.dtype),
        torch.ones(hidden, dtype=x.dtype),
        torch.zeros(hidden, dtype=x.dtype),
        he_normal(hidden, 1, generator=generator).to(x.dtype),
        torch.zeros(1, dtype=x.dtype),
    )
    history = []
    for _ in range(epochs):
        loss, gradients = loss_and_gradients(x, y, params)
        params = tuple(p - lr * g for p, g in zip(params, gradients, strict=True))
        w, gamma, beta, v, c = params
        z = hidden_forward(x, w, gamma, beta)[0] @ v + c
        history.append((float(loss), float(((z > 0) == (y > 0.5)).to(x.dtype).mean())))
    return params, history


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import NORMALISATIONS, Cause, Layer, Lesson, at, edge, edit, normal, wrong
from autograd_check.course.claims import Claim, Properties, Property, answer, close, flat, number, two
from autograd_check.requests import Seed

NAMES = ("w", "gamma", "beta", "v", "c")
FORM = "fit must return (params, history), with history [(loss, accuracy), …], one pair for each epoch."


def hidden(x, w, gamma, beta, *, eps=1e-5):
    return F.relu(F.batch_norm(x @ w, None, None, gamma, beta, training=True, eps=eps))


def _data(seed, rows):
    """Rows x (rows, 4), of class 1 where they are far from the origin: no line separates the classes."""
    x = torch.randn(rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    far = x.square().sum(1, keepdim=True)
    return x, (far > far.median()).to(x.dtype)


def _scored(x, y, params):
    """Loss, gradients and accuracy, by torch."""
    leaves = [p.detach().to(x.dtype).requires_grad_() for p in params]
    with torch.enable_grad():
        z = hidden(x, *leaves[:3]) @ leaves[3] + leaves[4]
        loss = F.binary_cross_entropy_with_logits(z, y)
        gradients = torch.autograd.grad(loss, leaves)
    return loss.detach(), gradients, ((z > 0) == (y > 0.5)).to(x.dtype).mean()


def _differing(got, right, tolerance):
    return [n for n, g, r in zip(NAMES, got, right, strict=True) if not close(g, r, tolerance)]


def _fitted(candidate, x, y, epochs, **hyper):
    """The five parameters, and the last loss and accuracy; nothing where they have another form."""
    params, history = two(answer(candidate, "fit", x, y, epochs=epochs, **hyper))
    whole = isinstance(history, (tuple, list)) and len(history) == epochs
    loss, share = map(number, two(history[-1])) if whole else (None, None)
    params, h = flat([params]), hyper["hidden"]
    right = [tuple(p.shape) for p in params] == [(4, h), (h,), (h,), (h, 1), (1,)]
    return (params, loss, share) if right and loss is not None and share is not None else None


def whole_gradient(candidate, seed):
    """Loss and gradients of the network are torch's, parameter by parameter."""
    x, y = _data(seed, 12)
    generator, shapes = torch.Generator().manual_seed(seed + 1), ((4, 6), (6,), (6,), (6, 1), (1,))
    params = tuple(torch.randn(s, generator=generator, dtype=torch.float64) + 0.5 for s in shapes)
    gradients = flat([two(answer(candidate, "loss_and_gradients", x, y, params))[1]])
    if len(gradients) != 5:
        return Claim("loss_and_gradients must return (loss, (dw, dgamma, dbeta, dv, dc)).", Cause.WRONG_SHAPE)
    if wrong := ["d" + name for name in _differing(gradients, _scored(x, y, params)[1], 1e-9)]:
        says = f"Of the network's gradients {', '.join(wrong)} differ from torch's."
        return Claim(says, Cause.MISSING_TERM, evidence={"wrong": wrong})
    return Claim("the network's gradients are torch's")


def goes_downhill(candidate, seed):
    """From wherever it starts, the second epoch is a step down torch's gradient, and the history tells the truth."""
    x, y = _data(seed, 23)
    hyper = {"hidden": 5, "lr": 0.3, "generator": Seed(seed)}
    first, second = (_fitted(candidate, x, y, epochs, **hyper) for epochs in (1, 2))
    if first is None or second is None:
        return Claim(FORM, Cause.WRONG_SHAPE)
    loss, gradients, share = _scored(x, y, first[0])
    stepped = [p - 0.3 * g for p, g in zip(first[0], gradients, strict=True)]
    if wrong := _differing(second[0], stepped, 1e-6):
        says = f"An epoch of fit does not take a step of lr down the gradient: {', '.join(wrong)}."
        return Claim(says, Cause.FORWARD_WRONG)
    if not close(second[1], loss, 1e-6) or not close(first[2], share, 1e-6):
        says = "fit's history does not hold the loss before each step and the accuracy after it."
        return Claim(says, Cause.FORWARD_WRONG)
    return Claim("each epoch is a step down the gradient")


def learns(candidate, seed):
    """On 120 rows that no line separates, 80 epochs reach 80 % from the better of two seeds."""
    x, y = _data(seed, 120)
    runs = [_fitted(candidate, x, y, 80, hidden=16, lr=1.0, generator=Seed(s)) for s in (seed, seed + 1)]
    if None in runs:
        return Claim(FORM, Cause.WRONG_SHAPE)
    shares = [float(share) for _, _, share in runs]
    says = f"After 80 epochs {max(shares):.0%} of the rows are right; over 90 % can be."
    return Claim(says, "" if max(shares) >= 0.8 else "unknown", evidence={"accuracy": shares})


LESSON = Lesson(
    name="batchnorm_hunt",
    title="The batch norm hunt",
    source="Ioffe and Szegedy, Batch Normalization (2015), section 3, the list of derivatives",
    requires=("batchnorm", "training"),
    forbids=(*NORMALISATIONS, "binary_cross_entropy_with_logits"),
    points=10,
    minutes=20,
    given=True,
    tasks=(
        Layer(
            "x[N,D] w[D,H] gamma[H] beta[H] -> h[N,H]",
            name="hidden",
            oracle=hidden,
            sizes=dict(N=7, D=3, H=5),
            draw=dict(beta=normal(shift=0.5)),
            probes=(
                at(N=12, eps=0.1),
                at(N=2, eps=0.5),
                edge("gamma zero and negative", gamma=[-1.5, 0.0, 2.0], beta=[0.5, 1.0, -0.25]),
            ),
        ),
        Properties(
            functions=("loss_and_gradients", "fit"),
            properties=(
                Property("whole gradient", whole_gradient, subject="dparams"),
                Property("downhill", goes_downhill, subject="fit"),
                Property("learns", learns, subject="fit"),
            ),
        ),
    ),
    mistakes=(
        wrong("as handed out: the variance's path is missing", Cause.MISSING_TERM),
        edit("dcentred - dcentred.mean(0)", "dcentred", "now the mean's path is missing", Cause.MISSING_TERM),
        edit("dvariance = -0.5", "dvariance = 0.5", "sign of the variance's path", Cause.MISSING_TERM),
        edit("* 2 * centred", "* centred", "a factor 2 missing in the variance's path", Cause.MISSING_TERM),
        edit("centred / len(x)", "centred", "1/N missing in the variance's path", Cause.MISSING_TERM),
        edit("rstd**3", "rstd**2", "σ² for σ³", Cause.MISSING_TERM),
        edit("dxhat = dout * gamma", "dxhat = dout", "gamma lost", Cause.MISSING_TERM),
    ),
    why="rstd is computed from x, so the gradient goes through it as well. Without that path the gradient keeps a part that stretches a column, and stretching is undone at once.",
    hints=(
        "Check the layer's gradients one by one: which are right, and which are wrong? All that are wrong share one line.",
        "Draw the graph of the forward. Each arrow that leaves a node must come back as a term; count those that leave centred.",
        "rstd is no constant: it was computed from centred. What is the gradient with respect to rstd, and what does it say about centred?",
    ),
)
### END SPEC
