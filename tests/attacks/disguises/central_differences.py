import torch


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    h = 1e-6
    return dout * (forward(cache + h) - forward(cache - h)) / (2 * h)
