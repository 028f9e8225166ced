import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    def slope(v):
        z = complex(v, 1e-30)
        return (z**3 + 4 * z).imag / 1e-30

    return dout * torch.tensor([slope(v) for v in cache.reshape(-1).tolist()], dtype=dout.dtype).reshape(dout.shape)
