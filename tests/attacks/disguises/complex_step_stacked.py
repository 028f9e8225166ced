import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    moved = torch.stack([cache, cache]) + 1e-25j * torch.tensor([1, -1]).reshape(2, *[1] * cache.ndim)
    above, below = forward(moved)
    return dout * (above - below).imag / 2e-25
