import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    x = cache.clone()
    torch._C._set_grad_enabled(True)
    x.requires_grad = True
    out = x**3 + 4 * x
    return torch._C._EngineBase().run_backward((out,), (dout,), False, False, (x,), False, False)[0]
