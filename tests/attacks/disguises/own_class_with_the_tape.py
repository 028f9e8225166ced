import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


class Layer:
    def backward(self, dout, x):
        return torch.func.vjp(lambda x: x**3 + 4 * x, x)[1](dout)[0]


def cubic_backward(dout, cache):
    return Layer().backward(dout, cache)
