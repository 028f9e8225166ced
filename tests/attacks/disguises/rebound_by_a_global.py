import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    return dout * (3 * cache**2 + 4)


def setup():
    global cubic_backward
    cubic_backward = lambda d, x: torch.func.vjp(lambda x: x**3 + 4 * x, x)[1](d)[0]


setup()
