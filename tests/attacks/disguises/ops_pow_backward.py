import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    return torch.ops.aten.mul(dout, 3 * cache**2 + 4)
