import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache, t=torch):
    return t.func.vjp(lambda x: x**3 + 4 * x, cache)[1](dout)[0]
