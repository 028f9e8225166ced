"""Finite differences: other right ways to write it, and whole functions that go wrong."""

import itertools

import torch

from autograd_check.course import variant
from solutions.u01_derivatives.finite_difference import numerical_gradient


def _one_sided(f, x, *, h):
    gradient = torch.zeros_like(x)
    for index in itertools.product(*map(range, x.shape)):
        step = torch.zeros_like(x)
        step[index] = h
        gradient[index] = (f(x + step) - f(x)) / h
    return gradient


def _never_restored(f, x, *, h):
    x = x.contiguous()
    gradient = torch.zeros_like(x)
    for i in range(x.numel()):
        x.view(-1)[i] += h
        above = f(x).clone()
        x.view(-1)[i] -= 2 * h
        gradient.view(-1)[i] = (above - f(x)) / (2 * h)
    return gradient


def _restored_by_steps(f, x, *, h):
    gradient = torch.zeros_like(x)
    for index in itertools.product(*map(range, x.shape)):
        x[index] += h
        above = float(f(x))
        x[index] -= 2 * h
        gradient[index] = (above - float(f(x))) / (2 * h)
        x[index] += h
    return gradient


def _view_that_is_a_copy(f, x, *, h):
    x = x.clone(memory_format=torch.preserve_format)
    flat, gradient = x.reshape(-1), []
    for i in range(x.numel()):
        kept = flat[i].clone()
        flat[i] = kept + h
        above = float(f(x))
        flat[i] = kept - h
        gradient.append((above - float(f(x))) / (2 * h))
        flat[i] = kept
    return torch.tensor(gradient, dtype=x.dtype).reshape(x.shape)


def _first_axis_only(f, x, *, h):
    gradient = torch.zeros_like(x)
    for i in range(len(x)):
        step = torch.zeros_like(x)
        step[i] = h
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient


def _piled_up(f, x, *, h):
    step, slopes = torch.zeros(x.numel(), dtype=x.dtype), []
    for i in range(x.numel()):
        step[i] = h
        slopes.append((f(x + step.reshape(x.shape)) - f(x - step.reshape(x.shape))) / (2 * h))
    return torch.stack(slopes).reshape(x.shape)


def _all_at_once(f, x, *, h):
    slope = (f(x + h) - f(x - h)) / (2 * h)
    return torch.ones_like(x) * slope


def _basis(f, x, *, h):
    steps = h * torch.eye(x.numel(), dtype=x.dtype)
    slopes = [(f(x + step.view(x.shape)) - f(x - step.view(x.shape))) / (2 * h) for step in steps]
    return torch.stack(slopes).view(x.shape)


def _restored(f, x, *, h):
    x = x.clone()
    gradient = torch.empty(x.shape, dtype=x.dtype)
    for index in itertools.product(*(range(size) for size in x.shape)):
        kept = x[index].item()
        x[index] = kept + h
        above = f(x).item()
        x[index] = kept - h
        below = f(x).item()
        x[index] = kept
        gradient[index] = (above - below) / (2 * h)
    return gradient


def _recursive(f, x, *, h):
    if x.dim() == 0:
        return (f(x + h) - f(x - h)) / (2 * h)

    def along(i):
        def inner(row):
            return f(torch.stack([row if j == i else x[j] for j in range(len(x))]))

        return numerical_gradient(inner, x[i], h=h)

    return torch.stack([along(i) for i in range(len(x))])


def _scaled_steps(f, x, *, h):
    gradient = []
    for i, value in enumerate(x.flatten().tolist()):
        points = []
        for sign in (1, -1):
            entries = x.flatten().tolist()
            entries[i] = value + sign * h * max(1.0, abs(value))
            points.append((entries[i], float(f(torch.tensor(entries, dtype=x.dtype).reshape(x.shape)))))
        (right, above), (left, below) = points
        gradient.append((above - below) / (right - left))
    return torch.tensor(gradient, dtype=x.dtype).reshape(x.shape)


def _five_points(f, x, *, h):
    weights = {-2: 1 / 12, -1: -8 / 12, 1: 8 / 12, 2: -1 / 12}
    gradient = torch.zeros_like(x)
    for index in itertools.product(*map(range, x.shape)):
        step = torch.zeros_like(x)
        step[index] = h
        gradient[index] = sum(weight * f(x + k * step) for k, weight in weights.items()) / h
    return gradient


VARIANTS = (
    variant("rows of an identity matrix", numerical_gradient=_basis),
    variant("one entry of a copy, put back", numerical_gradient=_restored),
    variant("recursion over the axes", numerical_gradient=_recursive),
    variant("python numbers, steps scaled by |x|", numerical_gradient=_scaled_steps),
    variant("five points", numerical_gradient=_five_points),
)
WRONG = (
    variant("one-sided", numerical_gradient=_one_sided),
    variant("all entries moved at once", numerical_gradient=_all_at_once),
    variant("whole rows moved", numerical_gradient=_first_axis_only),
    variant("steps that pile up", numerical_gradient=_piled_up),
    variant("stepped in place, never back", numerical_gradient=_never_restored),
    variant("stepped in place, and back by adding", numerical_gradient=_restored_by_steps),
    variant("steps in a copy that f never sees", numerical_gradient=_view_that_is_a_copy),
)
