"""Nesterov momentum
=================

Momentum looks at the gradient where it stands, and then jumps with its velocity. Nesterov's idea is to look
from where the jump will lead:

    v ← μ v + g
    p ← p − lr (g + μ v)        param p, grad g and velocity v of one shape

The step uses the new velocity once more, as the next step would find it. In this form, torch's, the
parameters are those of the look-ahead point itself, so g is taken at p and no extra evaluation is needed.

Conventions: the velocity starts at 0; `momentum` is 0.9 by default. The state is None on the first call, then
whatever your last call returned. param and grad are never changed in place.
"""

import torch


def nesterov_step(param, grad, state, *, lr, momentum=0.9):
    """param, grad of one shape → new param, state."""
    raise NotImplementedError("nesterov_step: param, grad of one shape → new param, state.")

# When it is written: autograd-check check nesterov
