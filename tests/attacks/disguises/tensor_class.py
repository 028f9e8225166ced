import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    return (
        type(cache).__module__ and cache.__class__.__init_subclass__ and torch.func.vjp(lambda x: x**3 + 4 * x, cache)[1](dout)[0]
    )
