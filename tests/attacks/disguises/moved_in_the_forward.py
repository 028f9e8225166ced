import torch


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), (forward(x + 1e-6), forward(x - 1e-6))


def softplus_backward(dout, cache):
    above, below = cache
    return dout * (above - below) / 2e-6
