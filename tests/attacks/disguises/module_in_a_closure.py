import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def make(t):
    return lambda dout, cache: t.func.vjp(lambda x: x**3 + 4 * x, cache)[1](dout)[0]


cubic_backward = make(torch)
