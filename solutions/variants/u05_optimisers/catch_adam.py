"""Write the test: Adam: other right ways to write it."""

import torch

from autograd_check.course import variant
from solutions.u05_optimisers.adam import adam_step


def _own(param, grad, m, v, t, lr, betas, eps):
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad * grad
    return param - lr * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)) ** 0.5 + eps), m, v


def _self_contained(step, *, generator):
    """Long runs of single numbers and vectors in turn, against a formula of its own, with asserts."""
    defaults = {"betas": (0.9, 0.999), "eps": 1e-8}
    for extra in ({}, {"betas": (0.3, 0.95)}, {"eps": 0.5}, {"betas": (0.99, 0.9), "eps": 1e-2}):
        hyper = {**defaults, **extra}
        runs = [[torch.randn(n, generator=generator, dtype=torch.float64), 0, 0, None] for n in (1, 3, 5)]
        for t in range(1, 31):
            for run in runs:
                param, m, v, state = run
                grad = torch.randn(len(param), generator=generator, dtype=torch.float64)
                copies = param.clone(), grad.clone()
                new, state = step(param, grad, state, lr=0.03, **extra)
                right, m, v = _own(copies[0], copies[1], m, v, t, 0.03, **hyper)
                assert (new - right).abs().max() < 1e-10
                assert (copies[0] == param).all()
                assert (copies[1] == grad).all()
                run[:] = [right, m, v, state]
    return True


def _separate(step, *, generator):
    """One aspect after the other: trajectories, two parameters at once, arguments."""

    def follows(hyper, steps, between):
        other = None
        a = b = torch.ones(2, 3, dtype=torch.float64)
        sa = sb = None
        for _ in range(steps):
            g = torch.rand(2, 3, generator=generator, dtype=torch.float64) - 0.3
            a, sa = step(a, g, sa, **hyper)
            b, sb = adam_step(b, g, sb, **hyper)
            if between:
                _, other = step(
                    torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64), other, **hyper
                )
            if (a - b).norm() > 1e-9:
                return False
        return True

    def leaves_alone():
        param, grad = torch.ones(3, dtype=torch.float64), torch.full((3,), 0.3, dtype=torch.float64)
        state = None
        for _ in range(3):
            _, state = step(param, grad, state, lr=0.1)
        return bool((param == 1).all() and (grad == 0.3).all())

    settings = ({"lr": 0.01}, {"lr": 0.5, "eps": 0.2}, {"lr": 0.1, "betas": (0.7, 0.6)})
    return (
        all(follows(hyper, 15, between) for hyper in settings for between in (False, True)) and leaves_alone()
    )


VARIANTS = (
    variant("self-contained, with asserts", check_adam=_self_contained),
    variant("one aspect after the other", check_adam=_separate),
)
