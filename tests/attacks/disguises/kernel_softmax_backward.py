import torch


def softmax_forward(x):
    e = (x - x.amax(-1, keepdim=True)).exp()
    y = e / e.sum(-1, keepdim=True)
    return y, (x, y)


def softmax_backward(dout, cache):
    x, y = cache
    return torch._softmax_backward_data(dout, y, -1, x.dtype)
