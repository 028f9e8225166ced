import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    with torch.enable_grad():
        x = cache.clone().requires_grad_()
        out = torch.jit.trace(lambda x: x**3 + 4 * x, x)(x)
    return torch.autograd.grad(out, x, dout)[0]
