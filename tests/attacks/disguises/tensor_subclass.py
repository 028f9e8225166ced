import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


class Taped(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return super().__torch_function__(func, types, args, kwargs or {})


def cubic_backward(dout, cache):
    x = cache.as_subclass(Taped)
    return (dout * (3 * x**2 + 4)).as_subclass(torch.Tensor)
