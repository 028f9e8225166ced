import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    import torch.autograd.forward_ad as fw

    with fw.dual_level():
        out = cubic_forward(fw.make_dual(cache, dout))[0]
        return fw.unpack_dual(out).tangent
