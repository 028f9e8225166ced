import torch


def cubic_forward(x):
    return x**3 + 4 * x, torch.func.vjp(lambda x: x**3 + 4 * x, x)[1]


def cubic_backward(dout, cache):
    return cache(dout)[0]
