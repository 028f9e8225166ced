import torch


def forward(x):
    return x**3 + 4 * x


def cubic_forward(x):
    return forward(x), x


def cubic_backward(dout, cache):
    z = torch.complex(cache, torch.zeros_like(cache)).reshape(-1)
    dx = dout.reshape(-1).clone()
    for i in range(dx.numel()):
        moved = z.clone()
        moved[i] += 1e-25j
        dx[i] *= forward(moved)[i].imag / 1e-25
    return dx.reshape(dout.shape)
