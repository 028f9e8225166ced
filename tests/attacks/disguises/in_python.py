import torch
import math


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    def f(v):
        return max(v, 0.0) + math.log1p(math.exp(-abs(v)))

    h = 1e-6
    slopes = [(f(v + h) - f(v - h)) / (2 * h) for v in cache.reshape(-1).tolist()]
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)
