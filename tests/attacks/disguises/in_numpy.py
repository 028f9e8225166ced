import torch
import numpy as np


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    x = cache.numpy()
    f = lambda v: np.maximum(v, 0) + np.log1p(np.exp(-np.abs(v)))
    h = 1e-6
    return dout * torch.from_numpy((f(x + h) - f(x - h)) / (2 * h))
