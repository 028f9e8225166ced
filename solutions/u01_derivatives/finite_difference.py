"""Finite differences
==================

How to check a derivative without believing anybody? Take a small step h to either side and watch the function
itself:

    ∂f/∂xᵢ ≈ (f(x + h eᵢ) − f(x − h eᵢ)) / 2h      x of any shape, f(x) a 0-d tensor

one number for every entry of x. eᵢ is 1 in entry i and 0 elsewhere: one entry moves at a time, and all the
others stay where they are. By Taylor's formula

    f(x ± h eᵢ) = f ± h f′ + h²/2 f″ ± h³/6 f‴ + …

the terms in f″ cancel, and the error is about h²/6 f‴. The one-sided (f(x + h eᵢ) − f(x)) / h keeps h/2 f″: a
thousand times worse at h = 0.001. Yet h cannot be arbitrarily small: f is only known to about 16 digits, and
h divides that round-off.

You are writing a checker. It is graded as one: a claimed gradient passes if it agrees with your numbers in
every entry. Right gradients must pass, wrong ones must be caught, also those that are wrong in a single
entry.

Convention: x is not changed, not even for a moment in between: x + h − h is not always x again.
"""

import torch


def numerical_gradient(f, x, *, h):
    """f: a tensor like x → a 0-d tensor; x any shape → central differences of f at x, like x."""
    ### BEGIN SOLUTION
    gradient = torch.zeros(x.numel(), dtype=x.dtype)
    for i in range(x.numel()):
        step = torch.zeros(x.numel(), dtype=x.dtype)
        step[i] = h
        step = step.reshape(x.shape)
        gradient[i] = (f(x + step) - f(x - step)) / (2 * h)
    return gradient.reshape(x.shape)
    ### END SOLUTION


### BEGIN SPEC

from autograd_check.course import Benchmark, Cause, Checker, Lesson, Scalar, edit, normal, transposed, wrong
from autograd_check.requests import Code


def _one_entry(gradient):
    """One per cent wrong in the largest entry only."""
    gradient.view(-1)[gradient.abs().argmax()] *= 1.01
    return gradient


def _last_row(gradient):
    gradient[-1] = 0
    return gradient


WRONG = {
    "the opposite sign": lambda gradient: -gradient,
    "twice the gradient": lambda gradient: 2 * gradient,
    "all zeros": torch.zeros_like,
    "one entry off by 1 %": _one_entry,
    "all entries off by 1e-4": lambda gradient: gradient * (1 + 1e-4),
}
ROWS = {
    **WRONG,
    "the last row forgotten": _last_row,
    "the mean in every entry": lambda gradient: gradient.mean().expand_as(gradient),
    "rows in reverse": lambda gradient: gradient.flip(0),
}

LAYER = "w = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(3, 5).sin()"
PRODUCTS = (
    "def f(x):\n    return torch.sin(x[0] * x[1]) + torch.exp(x[2] / 2) * x[3] - x[4] ** 3 / x[3].cosh()"
)


def _bench(lesson):
    x = torch.linspace(-1, 1, 40, dtype=torch.float64)
    leaf = x.clone().requires_grad_()

    def f(x):
        return (x.sin() * x).sum()

    return lambda: lesson["numerical_gradient"](f, x, h=1e-5), lambda: torch.autograd.gradcheck(f, leaf)


LESSON = Lesson(
    name="finite_difference",
    title="A gradient checker",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), section 11.5; Nocedal, Wright (2006), eq. 8.7",
    requires=("sine_chain",),
    points=15,
    minutes=25,
    tasks=(
        Checker(
            "numerical_gradient",
            scalars=(
                Scalar(
                    "a sum of cubes, x (3, 4)",
                    Code("lambda x: (x ** 3 + 4 * x).sum()"),
                    normal().of(3, 4),
                    ROWS,
                ),
                Scalar("sines and exponentials, x (5,)", Code("f", PRODUCTS), normal().of(5), WRONG),
                Scalar(
                    "a tanh layer, x (4, 3)",
                    Code("lambda x: torch.tanh(x @ w).square().sum() / 4", LAYER),
                    normal().of(4, 3),
                    ROWS,
                ),
                Scalar(
                    "a single number, x ()",
                    Code("lambda x: torch.exp(torch.sin(x) / 2)"),
                    normal(shift=0.2, scale=0.1).of(),
                    WRONG,
                ),
                Scalar(
                    "one entry, x (1,)",
                    Code("lambda x: torch.log(x[0] ** 2 + 1)"),
                    normal(shift=2, scale=0.2).of(1),
                    WRONG,
                ),
                Scalar(
                    "not contiguous, x (5, 3)",
                    Code("lambda x: (x[1:] * x[:-1]).sum() + (2 * x).sin().sum()"),
                    transposed().of(5, 3),
                    ROWS,
                ),
                Scalar(
                    "three axes, x (2, 3, 2)",
                    Code("lambda x: torch.logsumexp(x[0] * x[1].exp(), (0, 1))"),
                    normal().of(2, 3, 2),
                    WRONG,
                ),
                Scalar(
                    "a square matrix, x (3, 3)",
                    Code("lambda x: (x @ x).diagonal().cos().sum() + x[0, 2] ** 3"),
                    normal().of(3, 3),
                    {**ROWS, "transposed": lambda gradient: gradient.T},
                ),
            ),
        ),
    ),
    benchmarks=(Benchmark("whole gradient, beside gradcheck", "40 entries", _bench),),
    mistakes=(
        wrong("one-sided", Cause.FIRST_ORDER),
        edit("/ (2 * h)", "/ h", "h for 2h", Cause.CONSTANT_FACTOR),
        edit("/ (2 * h)", "* (2 * h)", "times 2h", Cause.CONSTANT_FACTOR),
        edit(
            "f(x + step) - f(x - step)",
            "f(x - step) - f(x + step)",
            "the smaller minus the larger",
            Cause.SIGN,
        ),
        edit(
            "gradient = torch.zeros(x",
            "h = 1e-5; gradient = torch.zeros(x",
            "a step of its own",
            Cause.IGNORES_STEP,
        ),
        wrong("all entries moved at once", Cause.WRONG_AXIS),
        wrong("whole rows moved", Cause.CRASHED),
        wrong("steps that pile up", Cause.FORWARD_WRONG),
        edit(
            "for i in range(x.numel())",
            "for i in range(x.numel() - 1)",
            "the last entry forgotten",
            Cause.FORWARD_WRONG,
        ),
        edit(
            "\n    return gradient",
            "\n        return gradient",
            "return inside the loop",
            Cause.FORWARD_WRONG,
        ),
        edit(
            "return gradient.reshape(x.shape)",
            "return gradient",
            "not put back into shape",
            Cause.WRONG_SHAPE,
        ),
        wrong("stepped in place, never back", Cause.MUTATES_INPUT),
        wrong("stepped in place, and back by adding", Cause.MUTATES_INPUT),
        wrong("steps in a copy that f never sees", Cause.ZERO_GRADIENT),
        edit(
            "gradient = torch.zeros(x.numel(), dtype=x.dtype)",
            "gradient = torch.zeros(x.numel())",
            "float32 result",
            Cause.WRONG_DTYPE,
        ),
    ),
    why="The even terms of Taylor's series cancel between x + h and x − h, so the error falls with h², until the round-off of f, divided by h, takes over.",
    hints=(
        "Begin with a 0-d x: two calls of f, h to the right and h to the left. What is the distance between the two points?",
        "For more entries, make a tensor like x that is h in one entry and 0 in all others, and add it: x itself stays as it is.",
        "x.numel() and reshape(x.shape) let one loop serve every shape: fill a flat result, and give it the shape of x at the end.",
    ),
)
### END SPEC
