import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    return dout * torch.from_numpy(forward(cache.numpy() + 1e-30j).imag / 1e-30)
