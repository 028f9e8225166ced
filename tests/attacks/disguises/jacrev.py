import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    jacobian = torch.func.jacrev(lambda x: x**3 + 4 * x)(cache)
    return torch.tensordot(dout, jacobian, dout.ndim)
