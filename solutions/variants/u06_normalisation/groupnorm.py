"""Group normalisation: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _outer_gamma_backward(dout, cache):
    xhat, rstd, gamma = cache
    dgamma, dbeta = (dout * xhat).sum((0, 2, 3)), dout.sum((0, 2, 3))
    N, groups, _ = rstd.shape
    g, hat = dout.reshape(N, groups, -1), xhat.reshape(N, groups, -1)
    dx = rstd * (g - g.mean(-1, keepdim=True) - hat * (g * hat).mean(-1, keepdim=True))
    return gamma * dx.reshape(dout.shape), dgamma, dbeta


def _strided_forward(x, gamma, beta, *, groups, eps=1e-5):
    N, C, H, W = x.shape
    grouped = x.reshape(N, C // groups, groups, H, W).transpose(1, 2).reshape(N, groups, -1)
    centred = grouped - grouped.mean(-1, keepdim=True)
    rstd = torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    xhat = (centred * rstd).reshape(N, groups, C // groups, H, W).transpose(1, 2).reshape(N, C, H, W)
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    return gamma * xhat + beta, (xhat, rstd, gamma)


def _batch_forward(x, gamma, beta, *, groups, eps=1e-5):
    N, C, H, W = x.shape
    grouped = x.reshape(N, groups, -1)
    centred = grouped - grouped.mean((0, 2), keepdim=True)
    rstd = torch.rsqrt(centred.square().mean((0, 2), keepdim=True) + eps).expand(N, groups, 1)
    xhat = (centred * rstd).reshape(N, C, H, W)
    gamma, beta = gamma[:, None, None], beta[:, None, None]
    return gamma * xhat + beta, (xhat, rstd, gamma)


def _loops_forward(x, gamma, beta, *, groups, eps=1e-5):
    out, saved = torch.empty_like(x), []
    size = x.shape[1] // groups
    for n in range(x.shape[0]):
        for k in range(groups):
            part = slice(k * size, (k + 1) * size)
            block = x[n, part]
            mean = block.mean()
            std = torch.sqrt(block.var(unbiased=False) + eps)
            hat = (block - mean) / std
            out[n, part] = gamma[part].reshape(-1, 1, 1) * hat + beta[part].reshape(-1, 1, 1)
            saved.append((n, part, hat, std))
    return out, (saved, gamma)


def _loops_backward(dout, cache):
    saved, gamma = cache
    dx, dgamma, dbeta = torch.empty_like(dout), torch.zeros_like(gamma), torch.zeros_like(gamma)
    for n, part, hat, std in saved:
        up = dout[n, part]
        dgamma[part] += (up * hat).sum((1, 2))
        dbeta[part] += up.sum((1, 2))
        g = up * gamma[part].reshape(-1, 1, 1)
        m = g.numel()
        dx[n, part] = (m * g - g.sum() - hat * (g * hat).sum()) / (m * std)
    return dx, dgamma, dbeta


def _five_axes_forward(x, gamma, beta, *, groups, eps=1e-5):
    n, c, h, w = x.size()
    blocks = x.contiguous().view(n, groups, c // groups, h, w)
    var, mean = torch.var_mean(blocks, dim=[2, 3, 4], keepdim=True, unbiased=False)
    hat = (blocks - mean) / (var + eps) ** 0.5
    out = hat.view(n, c, h, w) * gamma.view(1, c, 1, 1) + beta.view(1, c, 1, 1)
    return out, {"hat": hat, "mean": mean, "var": var, "x": blocks, "gamma": gamma, "eps": eps}


def _five_axes_backward(dout, cache):
    hat, x, eps = cache["hat"], cache["x"], cache["eps"]
    n, groups, size, h, w = hat.shape
    dout = dout.reshape(hat.shape)
    dims, m = [2, 3, 4], size * h * w
    dhat = dout * cache["gamma"].view(1, groups, size, 1, 1)
    centred = x - cache["mean"]
    dvar = (dhat * centred * -0.5 * (cache["var"] + eps) ** -1.5).sum(dims, keepdim=True)
    dmean = (-dhat / (cache["var"] + eps) ** 0.5).sum(dims, keepdim=True) + dvar * -2 * centred.mean(
        dims, keepdim=True
    )
    dx = dhat / (cache["var"] + eps) ** 0.5 + dvar * 2 * centred / m + dmean / m
    dgamma, dbeta = (dout * hat).sum([0, 3, 4]), dout.sum([0, 3, 4])
    return dx.reshape(n, groups * size, h, w), dgamma.reshape(-1), dbeta.reshape(-1)


def _members_forward(x, gamma, beta, *, groups, eps=1e-5):
    count, pixels = x.shape[1], x.shape[2] * x.shape[3]
    same = torch.arange(count) // (count // groups)
    share = (same[:, None] == same[None, :]).to(x.dtype) * groups / (count * pixels)

    def mean(t):
        return (t.sum((2, 3)) @ share)[:, :, None, None]

    centred = x - mean(x)
    scale = (mean(centred**2) + eps).sqrt()

    def backward(dout):
        hat = centred / scale
        g = dout * gamma.reshape(-1, 1, 1)
        dx = (g - mean(g) - hat * mean(g * hat)) / scale
        return dx, torch.einsum("nchw,nchw->c", dout, hat), torch.einsum("nchw->c", dout)

    return centred / scale * gamma.reshape(-1, 1, 1) + beta.reshape(-1, 1, 1), backward


def _members_backward(dout, cache):
    return cache(dout)


VARIANTS = (
    variant(
        "loops over samples and groups",
        groupnorm_forward=_loops_forward,
        groupnorm_backward=_loops_backward,
    ),
    variant(
        "five axes, every step of the graph",
        groupnorm_forward=_five_axes_forward,
        groupnorm_backward=_five_axes_backward,
    ),
    variant(
        "a matrix of group members",
        groupnorm_forward=_members_forward,
        groupnorm_backward=_members_backward,
    ),
)
WRONG = (
    variant("gamma outside the means", groupnorm_backward=_outer_gamma_backward),
    variant("every groups-th channel instead of neighbours", groupnorm_forward=_strided_forward),
    variant("statistics over the batch as well", groupnorm_forward=_batch_forward),
)
