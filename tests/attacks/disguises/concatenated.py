import torch


def forward(x):
    return x.clamp(min=0) + torch.log1p(torch.exp(-x.abs()))


def softplus_forward(x):
    return forward(x), x


def softplus_backward(dout, cache):
    h = 1e-6
    both = forward(torch.cat([cache.reshape(-1) + h, cache.reshape(-1) - h]))
    above, below = both.chunk(2)
    return dout * ((above - below) / (2 * h)).reshape(cache.shape)
