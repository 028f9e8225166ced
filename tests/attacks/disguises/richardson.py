import torch


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    def slope(h):
        return (forward(cache + h) - forward(cache - h)) / (2 * h)

    return dout * (4 * slope(5e-4) - slope(1e-3)) / 3
