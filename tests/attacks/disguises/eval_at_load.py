import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


cubic_backward = eval("lambda d, x: torch.func.vjp(lambda x: x**3 + 4 * x, x)[1](d)[0]")
