import torch


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    h = 1e-3
    a, b, c, d = (forward(cache + k * h) for k in (2, 1, -1, -2))
    return dout * (8 * b - a - 8 * c + d) / (12 * h)
