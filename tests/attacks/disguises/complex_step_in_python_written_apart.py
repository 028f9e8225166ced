import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    slopes = []
    for v in cache.reshape(-1).tolist():
        w = forward(complex(v, 2.0**-99))
        slopes.append(w.imag * 2.0**99)
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)
