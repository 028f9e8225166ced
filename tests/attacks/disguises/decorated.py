import torch


def by_tape(backward):
    def other(dout, cache):
        return torch.func.vjp(lambda x: x**3 + 4 * x, cache)[1](dout)[0]

    return other


def cubic_forward(x):
    return x**3 + 4 * x, x


@by_tape
def cubic_backward(dout, cache):
    return dout * (3 * cache**2 + 4)
