import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


class Seen:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func(*[a.x if isinstance(a, Seen) else a for a in args])


def cubic_backward(dout, cache):
    seen = Seen()
    seen.x = cache
    return dout * (3 * torch.mul(seen, seen) + 4)
