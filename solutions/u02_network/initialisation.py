"""Initialisation
==============

A layer adds up fan_in products, so the variance of its output is fan_in · Var[w] times the mean square of its
input. Weights that are too small let the signal die from layer to layer, too large ones let it explode. Two
choices of Var[w] keep it level:

    He, normal            w ~ N(0, s²)      s² = 2 / fan_in
    Xavier, uniform       w ~ U(−a, a)      a = √(6 / (fan_in + fan_out))

A relu silences half of its inputs: hence He's 2. Xavier's is level forwards and backwards, without relu:
U(−a, a) has variance a² / 3, so Var[w] is 2 / (fan_in + fan_out).

Conventions: w has shape (fan_in, fan_out), as linear wants it, in float64. All randomness comes from the
generator that is handed in: the same seed gives the same weights.
"""

import torch


def he_normal(fan_in, fan_out, *, generator):
    """w (fan_in, fan_out), normal with standard deviation √(2 / fan_in)."""
    ### BEGIN SOLUTION
    s = (2 / fan_in) ** 0.5
    return s * torch.randn(fan_in, fan_out, generator=generator, dtype=torch.float64)
    ### END SOLUTION


def xavier_uniform(fan_in, fan_out, *, generator):
    """w (fan_in, fan_out), uniform in [−a, a) with a = √(6 / (fan_in + fan_out))."""
    ### BEGIN SOLUTION
    a = (6 / (fan_in + fan_out)) ** 0.5
    return a * (2 * torch.rand(fan_in, fan_out, generator=generator, dtype=torch.float64) - 1)
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course import Benchmark, Cause, Initialiser, Lesson, edit, wrong

SIZES = ((400, 50), (50, 400), (300, 7))


def he_std(fan_in, fan_out):
    return math.sqrt(2 / fan_in)


def xavier_std(fan_in, fan_out):
    return math.sqrt(2 / (fan_in + fan_out))


def _bench(lesson):
    generator, w = torch.Generator().manual_seed(0), torch.empty(64, 256, dtype=torch.float64)
    return (
        lambda: lesson["he_normal"](256, 64, generator=generator),
        lambda: torch.nn.init.kaiming_normal_(w, nonlinearity="relu", generator=generator),
    )


LESSON = Lesson(
    name="initialisation",
    title="Initialisation",
    source="He, Zhang, Ren, Sun, Delving Deep into Rectifiers (2015), eq. 10; Glorot and Bengio (2010), eq. 16",
    requires=("mlp",),
    forbids=("kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_"),
    points=5,
    minutes=10,
    tasks=(
        Initialiser("he_normal", std=he_std, law="normal", sizes=SIZES),
        Initialiser("xavier_uniform", std=xavier_std, law="uniform", sizes=SIZES),
    ),
    benchmarks=(Benchmark("he_normal", "256 to 64", _bench),),
    mistakes=(
        edit("(2 / fan_in)", "(2 / fan_out)", "fan_out for fan_in", Cause.CONSTANT_FACTOR),
        edit("(2 / fan_in)", "(1 / fan_in)", "the 2 of relu forgotten", Cause.CONSTANT_FACTOR),
        edit("(2 / fan_in) ** 0.5", "(2 / fan_in)", "variance for standard deviation", Cause.CONSTANT_FACTOR),
        edit("(6 / (fan_in", "(2 / (fan_in", "a taken for the standard deviation", Cause.CONSTANT_FACTOR),
        edit(
            "dtype=torch.float64) - 1)",
            "dtype=torch.float64))",
            "weights all positive",
            Cause.WRONG_DISTRIBUTION,
        ),
        wrong("uniform for normal", Cause.WRONG_DISTRIBUTION),
        edit(
            "torch.randn(fan_in, fan_out",
            "torch.randn(fan_out, fan_in",
            "shape (fan_out, fan_in)",
            Cause.TRANSPOSED,
        ),
        wrong("generator ignored", Cause.NONDETERMINISTIC),
    ),
    why="A sum of fan_in products has fan_in times the variance of one, and relu removes half of it. With variance 2 / fan_in the signal is as large behind a layer as before it.",
    hints=(
        "torch.randn has standard deviation 1 and torch.rand is uniform in [0, 1). Scaling a variable by s scales its standard deviation by s.",
        "For the uniform law, first move [0, 1) to [−1, 1), then scale by a.",
        "Pass generator=generator on to torch.randn and torch.rand, with dtype=torch.float64.",
    ),
)
### END SPEC
