import torch


def relu_forward(x):
    return x.clamp(min=0), x


def relu_backward(dout, cache):
    return torch.ops.aten.threshold_backward.default(dout, cache, 0)
