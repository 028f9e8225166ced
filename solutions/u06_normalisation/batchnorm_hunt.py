"""The batch norm hunt
===================

A network with batch normalisation, and it looks well: the loss falls, nothing is nan, the accuracy climbs past 90 %, hardly later than it should.
Still, what its hidden layer calls a gradient is none. One path through which x reaches the loss was left out when the layer was derived, and
because what remains still points downhill, nobody has noticed.

The layer is linear map, batch norm and relu in one (a bias would be pointless: the batch mean takes it out again):

    a = x w     μ, σ² over the batch     x̂ = (a − μ) / √(σ² + ε)     h = relu(γ x̂ + β)

x (N, D), w (D, H), γ and β (H,)  →  h (N, H). Its forward is right, and so is everything that comes from earlier lessons. Find the missing path
and put it in: a wrong gradient that trains is the kind that stays for years.
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
from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import (
    Claim,
    Lesson,
    Pair,
    Properties,
    Property,
    Unanswered,
    mistake,
    probe,
    variant,
)
from autograd_check.requests import Seed


def oracle(x, w, gamma, beta, *, eps=1e-5):
    normalised = torch.nn.functional.batch_norm(x @ w, None, None, gamma, beta, training=True, eps=eps)
    return torch.nn.functional.relu(normalised)


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


def whole_gradient(candidate, seed):
    """Loss and gradients of the network are torch's, parameter by parameter."""
    x, y = _data(seed, 12)
    generator = torch.Generator().manual_seed(seed + 1)
    params = tuple(
        torch.randn(shape, generator=generator, dtype=torch.float64) + 0.5
        for shape in ((4, 6), (6,), (6,), (6, 1), (1,))
    )
    value = _answer(candidate, "loss_and_gradients", x, y, params)
    leaves = [p.clone().requires_grad_() for p in params]
    with torch.enable_grad():
        z = oracle(x, *leaves[:3]) @ leaves[3] + leaves[4]
        expected = torch.autograd.grad(torch.nn.functional.binary_cross_entropy_with_logits(z, y), leaves)
    try:
        _, gradients = value
        wrong = [
            name
            for name, got, right in zip(
                ("dw", "dgamma", "dbeta", "dv", "dc"), gradients, expected, strict=True
            )
            if got.shape != right.shape or float((got - right).abs().max()) > 1e-9 * float(right.abs().max())
        ]
    except (TypeError, ValueError, AttributeError):
        return Claim("loss_and_gradients must return (loss, (dw, dgamma, dbeta, dv, dc)).", "wrong_shape")
    if wrong:
        return Claim(
            f"Of the network's gradients {', '.join(wrong)} differ from torch's.",
            "missing_term",
            evidence={"wrong": wrong},
        )
    return Claim("the network's gradients are torch's")


def learns(candidate, seed):
    """On 120 rows that no line separates, 80 epochs reach 80 % from the better of two seeds."""
    x, y = _data(seed, 120)
    shares = []
    for s in (seed, seed + 1):
        value = _answer(candidate, "fit", x, y, hidden=16, lr=1.0, epochs=80, generator=Seed(s))
        try:
            shares.append(float(value[1][79][1]))
        except (TypeError, ValueError, IndexError):
            return Claim(
                "fit must return (params, history), with history [(loss, accuracy), …].", "wrong_shape"
            )
    if max(shares) < 0.8:
        return Claim(
            f"After 80 epochs {max(shares):.0%} of the rows are right; over 90 % can be.",
            "unknown",
            evidence={"accuracy": shares},
        )
    return Claim("the fixed network learns")


def _score(x, y, params):
    """Loss, gradients and accuracy by torch."""
    leaves = [p.detach().clone().requires_grad_() for p in params]
    with torch.enable_grad():
        z = oracle(x, *leaves[:3]) @ leaves[3] + leaves[4]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
        gradients = torch.autograd.grad(loss, leaves)
    return float(loss.detach()), gradients, float(((z > 0) == (y > 0.5)).to(x.dtype).mean())


def goes_downhill(candidate, seed):
    """From wherever it starts, the second epoch is a step of lr down torch's gradient, and the history tells the truth."""
    x, y = _data(seed, 23)
    hyper = {"hidden": 5, "lr": 0.3, "generator": Seed(seed)}
    try:
        before, ((_, share),) = _answer(candidate, "fit", x, y, epochs=1, **hyper)
        after, (_, (loss, _)) = _answer(candidate, "fit", x, y, epochs=2, **hyper)
        right_loss, gradients, right_share = _score(x, y, before)
        wrong = [
            name
            for name, old, new, g in zip(
                ("w", "gamma", "beta", "v", "c"), before, after, gradients, strict=True
            )
            if float((old - 0.3 * g - new).abs().max()) > 1e-6 * (1 + float(new.abs().max()))
        ]
        told = abs(loss - right_loss) <= 1e-6 * (1 + right_loss) and abs(share - right_share) < 1e-6
    except (TypeError, ValueError, AttributeError, RuntimeError):
        return Claim(
            "fit must return (params, history), with history [(loss, accuracy), …], one pair for each epoch.",
            "wrong_shape",
        )
    if wrong:
        return Claim(
            f"An epoch of fit does not take a step of lr down the gradient: {', '.join(wrong)}.",
            "forward_wrong",
        )
    if not told:
        return Claim(
            "fit's history does not hold the loss before each step and the accuracy after it.",
            "forward_wrong",
        )
    return Claim("each epoch is a step down the gradient")


def _planted_backward(dh, cache):
    x, w, gamma, centred, rstd, h = cache
    dout = dh * (h > 0)
    dcentred = dout * gamma * rstd
    da = dcentred - dcentred.mean(0)
    return da @ w.T, x.T @ da, (dout * centred * rstd).sum(0), dout.sum(0)


def _formula_backward(dh, cache):
    x, w, gamma, centred, rstd, h = cache
    n = x.shape[0]
    xhat = centred * rstd
    dout = torch.where(h > 0, dh, torch.zeros_like(dh))
    dgamma, dbeta = (dout * xhat).sum(0), dout.sum(0)
    da = gamma * rstd / n * (n * dout - dbeta - xhat * dgamma)
    return da.mm(w.t()), x.t().mm(da), dgamma, dbeta


def _own_forward(x, w, gamma, beta, *, eps=1e-5):
    a = torch.einsum("nd,dh->nh", x, w)
    var, mean = torch.var_mean(a, 0, unbiased=False)
    std = (var + eps) ** 0.5
    xhat = (a - mean) / std
    out = xhat * gamma + beta
    return torch.relu(out), {"x": x, "w": w, "xhat": xhat, "std": std, "gamma": gamma, "on": out > 0}


def _own_backward(dh, cache):
    xhat, on = cache["xhat"], cache["on"]
    dout = dh.clone()
    dout[~on] = 0
    g = dout * cache["gamma"]
    da = (g - g.mean(0) - xhat * (g * xhat).mean(0)) / cache["std"]
    dx, dw = torch.einsum("nh,dh->nd", da, cache["w"]), torch.einsum("nd,nh->dh", cache["x"], da)
    return [dx, dw, torch.einsum("nh,nh->h", dout, xhat), dout.sum(0)]


def _columns_backward(dh, cache):
    x, w, gamma, centred, rstd, h = cache
    da = torch.zeros_like(h)
    dgamma, dbeta = torch.zeros_like(gamma), torch.zeros_like(gamma)
    for k in range(h.shape[1]):
        dout = dh[:, k] * (h[:, k] > 0)
        hat = centred[:, k] * rstd[k]
        jacobian = torch.eye(len(hat), dtype=h.dtype) - (1 + torch.outer(hat, hat)) / len(hat)
        da[:, k] = gamma[k] * rstd[k] * jacobian @ dout
        dgamma[k], dbeta[k] = dout @ hat, dout.sum()
    return da @ w.T, x.T @ da, dgamma, dbeta


LESSON = Lesson(
    name="batchnorm_hunt",
    title="The batch norm hunt",
    source="Ioffe and Szegedy, Batch Normalization (2015), section 3 and the gradient of x in its list of derivatives",
    requires=("batchnorm", "training"),
    forbids=("batch_norm", "native_batch_norm", "binary_cross_entropy_with_logits"),
    points=10,
    minutes=20,
    given=True,
    tasks=(
        Pair(
            "hidden",
            wrt=("x", "w", "gamma", "beta"),
            oracle=oracle,
            probes=(
                probe(
                    "7 rows, 3 features, 5 units",
                    x=normal(7, 3),
                    w=normal(3, 5),
                    gamma=normal(5),
                    beta=normal(5, shift=0.5),
                ),
                probe(
                    "eps 0.1",
                    x=normal(12, 4, scale=2, shift=1),
                    w=normal(4, 2),
                    gamma=normal(2),
                    beta=normal(2),
                    hyper={"eps": 0.1},
                ),
                probe(
                    "two rows, eps 0.5",
                    x=normal(2, 3),
                    w=normal(3, 4),
                    gamma=normal(4),
                    beta=normal(4, shift=1),
                    hyper={"eps": 0.5},
                ),
                probe(
                    "non-contiguous",
                    x=transposed(normal(3, 6)),
                    w=transposed(normal(4, 3)),
                    gamma=normal(4),
                    beta=normal(4),
                ),
                probe(
                    "gamma zero and negative",
                    x=normal(8, 3),
                    w=normal(3, 3),
                    gamma=literal([-1.5, 0.0, 2.0]),
                    beta=literal([0.5, 1.0, -0.25]),
                ),
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
        mistake(
            "as handed out: the variance's path is missing", "missing_term", hidden_backward=_planted_backward
        ),
        mistake(
            "now the mean's path is missing",
            "missing_term",
            "da = dcentred - dcentred.mean(0)",
            "da = dcentred",
        ),
        mistake("sign of the variance's path", "missing_term", "dvariance = -0.5", "dvariance = 0.5"),
        mistake(
            "a factor 2 missing in the variance's path",
            "missing_term",
            "dvariance * 2 * centred",
            "dvariance * centred",
        ),
        mistake(
            "1/N missing in the variance's path",
            "missing_term",
            "dvariance * 2 * centred / len(x)",
            "dvariance * 2 * centred",
        ),
        mistake("σ² for σ³", "missing_term", "rstd**3", "rstd**2"),
        mistake("gamma lost", "missing_term", "dxhat = dout * gamma", "dxhat = dout"),
    ),
    variants=(
        variant("the textbook's formula", hidden_backward=_formula_backward),
        variant("rewritten from scratch", hidden_forward=_own_forward, hidden_backward=_own_backward),
        variant("unit by unit, with the Jacobian", hidden_backward=_columns_backward),
    ),
    hints=(
        "Check the layer's gradients one by one: which are right, and which are wrong? All that are wrong share one line.",
        "Draw the graph of the forward. Each arrow that leaves a node must come back as a term; count those that leave centred.",
        "rstd is no constant: it was computed from centred. What is the gradient with respect to rstd, and what does it say about centred?",
    ),
)
### END SPEC
