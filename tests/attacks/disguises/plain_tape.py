import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    with torch.enable_grad():
        x = cache.clone().requires_grad_()
        (x**3 + 4 * x).backward(dout)
    return x.grad
