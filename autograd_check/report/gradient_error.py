"""The error of a gradient that is wrong, which is torch's own as well. (Apart from `errors`, so that names need no torch.)"""

from __future__ import annotations

from torch.autograd.gradcheck import GradcheckError

from autograd_check.errors import AutogradCheckError


class GradientError(AutogradCheckError, GradcheckError, AssertionError):
    """A gradient is wrong; the text names the input, the entry, both values, the resolution and the cause.

    It is torch's `GradcheckError` (so a `RuntimeError`), and an `AssertionError`, which any test runner shows as a failure. Where the function
    under test raised, its exception is the `__cause__`.
    """
