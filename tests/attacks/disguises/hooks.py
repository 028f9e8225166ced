import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    seen = []
    with torch.enable_grad():
        x = cache.clone().requires_grad_()
        x.register_hook(seen.append)
        (x**3 + 4 * x).backward(dout)
    return seen[0]
