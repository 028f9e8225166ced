import torch


def relu_forward(x):
    return x.clamp(min=0), x


def relu_backward(dout, cache):
    return torch._C._VariableFunctions.threshold_backward(dout, cache, 0)
