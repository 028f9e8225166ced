import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    h = 1e-20
    z = torch.complex(cache, torch.full_like(cache, h))
    return dout * forward(z).imag / h
