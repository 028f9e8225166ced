import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    step = torch.compile(lambda x: x**3 + 4 * x, backend="eager")
    return torch.func.vjp(step, cache)[1](dout)[0]
