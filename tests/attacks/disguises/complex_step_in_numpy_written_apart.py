import torch
import numpy as np


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    z = cache.numpy().astype(complex)
    z.imag = np.full(z.shape, 1e-30)
    slope = np.imag(forward(z)) * 1e30
    return dout * torch.from_numpy(slope)
