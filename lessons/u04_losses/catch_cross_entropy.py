"""Write the test: cross-entropy
=============================

You have written a softmax cross-entropy. Now somebody else has, and you are to say whether it is right. You
get two functions,

    forward(scores, y) → (loss, cache)         scores (N, C) float64, y (N,) class indices, loss ()
    backward(dout, cache) → dscores            dout (), dscores (N, C)

and answer True or False. They are right if all of this holds, for every shape and every dout:

- loss is the mean over the rows of −log softmax(scores)[y], and dscores its gradient times dout;
- both are exact for scores of ±1000;
- scores is not changed.

Your test is tested: it must reject a dozen implementations, each with one planted bug, and accept several
right ones, which round differently and keep what they like in their cache. The bugs hide where tests do not
look: a dout of 1, a batch without the last class, a single entry. `generator` is there for random numbers. A
test that raises an exception has rejected. Torch's own cross_entropy is off limits as a yardstick, here as
everywhere; the definition above and your numerical_gradient are enough.
"""

import torch

from lessons.u01_derivatives.finite_difference import numerical_gradient


def check_cross_entropy(forward, backward, *, generator):
    """forward(scores, y), backward(dout, cache) → whether they are a cross-entropy and its gradient."""
    raise NotImplementedError("check_cross_entropy: forward(scores, y), backward(dout, cache) → whether the…")

# When it is written: autograd-check check catch_cross_entropy
