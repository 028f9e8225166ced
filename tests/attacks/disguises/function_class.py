import torch


class Cubic(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3 + 4 * x

    @staticmethod
    def backward(ctx, d):
        return d * (3 * ctx.saved_tensors[0] ** 2 + 4)


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    with torch.enable_grad():
        x = cache.clone().requires_grad_()
        Cubic.apply(x).backward(dout)
    return x.grad
