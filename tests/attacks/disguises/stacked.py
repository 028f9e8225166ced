import torch


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    h = 1e-6
    both = forward(torch.stack([cache + h, cache - h]))
    return dout * (both[0] - both[1]) / (2 * h)
