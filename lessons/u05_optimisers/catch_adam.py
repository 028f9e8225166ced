"""Write the test: Adam
====================

Optimisers rarely crash. A wrong one trains too, only worse, and nobody looks. You get somebody's

    step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8) → (param, state)

and answer True or False. It is right if it does what your adam does, for any hyperparameters and any number
of steps, with several parameters in turn (each has a state of its own, None at first), and if it never
changes param or grad in place.

Your test is tested: it must reject a dozen implementations, each with one planted bug, and accept several
right ones, which round differently and keep what they like as their state. The bugs hide where tests do not
look: in the defaults, in the second parameter, in the tenth step. `generator` is there for random numbers. A
test that raises an exception has rejected. torch.optim is off limits as a yardstick, here as everywhere; your
own adam_step is imported below.
"""

import torch

from lessons.u05_optimisers.adam import adam_step


def check_adam(step, *, generator):
    """step(param, grad, state, *, lr, betas, eps) → whether it is Adam."""
    raise NotImplementedError("check_adam: step(param, grad, state, *, lr, betas, eps) → whether it is Adam.")

# When it is written: autograd-check check catch_adam
