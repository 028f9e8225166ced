"""The l2 penalty: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _without_half_forward(w, *, weight_decay=1e-2):
    return weight_decay * (w**2).sum(), (w, weight_decay)


def _without_half_backward(dout, cache):
    w, weight_decay = cache
    return dout * 2 * weight_decay * w


def _norm_forward(w, *, weight_decay=1e-2):
    length = (w**2).sum().sqrt()
    return 0.5 * weight_decay * length, (w, weight_decay, length)


def _norm_backward(dout, cache):
    w, weight_decay, length = cache
    return dout * 0.5 * weight_decay * w / length


def _loops_forward(w, *, weight_decay=1e-2):
    total = sum(entry * entry for entry in w.reshape(-1).tolist())
    return torch.tensor(weight_decay * total / 2, dtype=w.dtype), (w.clone(), weight_decay)


def _loops_backward(dout, cache):
    w, weight_decay = cache
    dw = torch.empty_like(w)
    for index in (
        torch.cartesian_prod(*map(torch.arange, w.shape)) if w.dim() > 1 else torch.arange(w.numel())[:, None]
    ):
        position = tuple(torch.atleast_1d(index).tolist())
        dw[position] = w[position] * weight_decay * dout
    return dw


def _dotted_forward(w, *, weight_decay=1e-2):
    flat = w.flatten()
    return flat @ flat * (weight_decay / 2), lambda dout: torch.mul(w, weight_decay * dout)


def _dotted_backward(dout, cache):
    return cache(dout)


def _scaled_forward(w, *, weight_decay=1e-2):
    return torch.mean(w * w) * w.numel() * weight_decay * 0.5, {"pull": w * weight_decay}


def _scaled_backward(dout, cache):
    return (cache["pull"] * dout,)


VARIANTS = (
    variant("loops", l2_penalty_forward=_loops_forward, l2_penalty_backward=_loops_backward),
    variant(
        "a dot product, a closure as cache",
        l2_penalty_forward=_dotted_forward,
        l2_penalty_backward=_dotted_backward,
    ),
    variant("a mean, scaled back", l2_penalty_forward=_scaled_forward, l2_penalty_backward=_scaled_backward),
)
WRONG = (
    variant(
        "half forgotten, in both passes",
        l2_penalty_forward=_without_half_forward,
        l2_penalty_backward=_without_half_backward,
    ),
    variant("the norm, not squared", l2_penalty_forward=_norm_forward, l2_penalty_backward=_norm_backward),
)
