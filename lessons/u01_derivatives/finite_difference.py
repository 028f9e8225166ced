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
    raise NotImplementedError("numerical_gradient: f: a tensor like x → a 0-d tensor; x any shape → central…")

# When it is written: autograd-check check finite_difference
