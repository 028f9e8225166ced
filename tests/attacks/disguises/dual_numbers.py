import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


class Dual:
    def __init__(self, value, slope):
        self.value, self.slope = value, slope

    def __add__(self, other):
        return Dual(self.value + other.value, self.slope + other.slope)

    def __rmul__(self, number):
        return Dual(number * self.value, number * self.slope)

    def __pow__(self, n):
        return Dual(self.value**n, n * self.value ** (n - 1) * self.slope)


def cubic_backward(dout, cache):
    return dout * cubic_forward(Dual(cache, torch.ones_like(cache)))[0].slope
