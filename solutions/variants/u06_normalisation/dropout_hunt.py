"""The dropout hunt: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


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


VARIANTS = (
    variant(
        "mask read from the output, in-place assignment",
        hidden_forward=_from_output_forward,
        hidden_backward=_from_output_backward,
    ),
    variant("the generator's state kept", hidden_forward=_seeded_forward, hidden_backward=_seeded_backward),
    variant("one slope, and a closure", hidden_forward=_tape_forward, hidden_backward=_tape_backward),
)
WRONG = (
    variant(
        "as handed out: the mask is drawn again",
        hidden_forward=_planted_forward,
        hidden_backward=_planted_backward,
    ),
    variant("no mask in the backward at all", hidden_backward=_no_mask_backward),
    variant("masked, but not rescaled", hidden_backward=_unscaled_backward),
)
