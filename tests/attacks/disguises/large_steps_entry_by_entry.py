import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    n = cache.numel()
    dx = torch.zeros_like(cache).reshape(-1)
    for i in range(n):
        for k, weight in ((2, -1), (1, 8), (-1, -8), (-2, 1)):
            moved = cache.clone().reshape(-1)
            moved[i] += k / 4
            dx[i] += weight * (dout.reshape(-1) * forward(moved)).sum() / 3
    return dx.reshape(cache.shape)
