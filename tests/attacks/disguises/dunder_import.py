import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    return __import__("torch.autograd").autograd.functional.vjp(lambda x: x**3 + 4 * x, cache, dout)[1]
