"""Gelu by tanh
============

An approximation of gelu without erf, right to about three digits. Many transformers were trained with it, so it has to be this very
function that one differentiates, and not the exact one:

    out = x/2 (1 + t),    t = tanh u,    u = √(2/π) (x + 0.044715 x³)      x of any shape  →  out of the same shape

The product rule, and along the second factor the chain rule:

    dx = dout (½ (1 + t) + x/2 (1 − t²) u′),    u′ = √(2/π) (1 + 3 · 0.044715 x²)

Convention: exact at ±1000. Here you may use `torch.tanh`, which is.
"""

import math

import torch


def gelu_tanh_forward(x):
    """out = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))).  x any shape → out of the same shape, cache."""
    ### BEGIN SOLUTION
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    t = torch.tanh(u)
    gate = (1 + t) / 2
    return x * gate, (x, t, gate)
    ### END SOLUTION


def gelu_tanh_backward(dout, cache):
    """dout like x → dx like x."""
    ### BEGIN SOLUTION
    x, t, gate = cache
    du = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return dout * (gate + x / 2 * (1 - t**2) * du)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Convention, Lesson, Pair, mistake, probe, variant

LARGE = Convention(
    "unstable",
    "at x = ±1000 the result is exactly 1000 and 0; a tanh by exponentials becomes inf / inf there.",
)


def oracle(x):
    return torch.nn.functional.gelu(x, approximate="tanh")


def _exponentials_forward(x):
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    t = (torch.exp(u) - torch.exp(-u)) / (torch.exp(u) + torch.exp(-u))
    return x / 2 * (1 + t), (x, t, (1 + t) / 2)


def _exact_forward(x):
    cdf = (1 + torch.erf(x / math.sqrt(2))) / 2
    return x * cdf, (x, cdf)


def _exact_backward(dout, cache):
    x, cdf = cache
    return dout * (cdf + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))


def _loops_forward(x):
    values = x.reshape(-1).tolist()
    gates = [math.tanh((2 / math.pi) ** 0.5 * value * (1 + 0.044715 * value * value)) for value in values]
    out = [value * (1 + gate) / 2 for value, gate in zip(values, gates, strict=True)]
    return torch.tensor(out, dtype=x.dtype).reshape(x.shape), (values, gates)


def _loops_backward(dout, cache):
    slopes = []
    for value, gate in zip(*cache, strict=True):
        inner = (2 / math.pi) ** 0.5 * (1 + 3 * 0.044715 * value**2)
        slopes.append((1 + gate + value * (1 - gate) * (1 + gate) * inner) / 2)
    return dout * torch.tensor(slopes, dtype=dout.dtype).reshape(dout.shape)


def _sigmoid_forward(x):
    scale = 2 * math.sqrt(2 / math.pi)
    gate = torch.sigmoid(scale * (x + 0.044715 * torch.pow(x, 3)))

    def backward(dout):
        return dout * gate + dout * x * gate * (1 - gate) * (scale + scale * 0.134145 * x * x)

    return x * gate, backward


def _sigmoid_backward(dout, cache):
    return cache(dout)


def _tape_forward(x):
    class Tape:
        half = 0.5 * x
        cube = x * x * x
        inner = 0.7978845608028654 * (x + 0.044715 * cube)
        gate = torch.tanh(inner)

    return Tape.half + Tape.half * Tape.gate, Tape


def _tape_backward(dout, cache):
    dhalf = dout + dout * cache.gate
    dgate = dout * cache.half
    dinner = dgate * (1 - cache.gate.square())
    dx = 0.7978845608028654 * dinner
    dcube = 0.7978845608028654 * 0.044715 * dinner
    x = cache.half + cache.half
    return dx + 3 * dcube * x**2 + 0.5 * dhalf


LESSON = Lesson(
    name="gelu_tanh",
    title="Gelu by tanh",
    source="Hendrycks and Gimpel, Gaussian Error Linear Units (2016), section 2",
    requires=("gelu",),
    forbids=("gelu",),
    points=5,
    tasks=(
        Pair(
            "gelu_tanh",
            wrt=("x",),
            oracle=oracle,
            probes=(
                probe("4 rows, 5 features", x=normal(4, 5)),
                probe("batch of one", x=normal(1, 7)),
                probe("one axis", x=normal(6, scale=3)),
                probe(
                    "on the way out",
                    x=literal(
                        [
                            [1.0, 4.0, -4.0, 5.0, -5.0, 6.0, -6.0],
                            [10.0, -10.0, 12.0, -12.0, 16.0, -16.0, 25.0],
                            [-25.0, 3.5, -3.5, 9.0, -9.0, 7.0, -7.0],
                        ]
                    ),
                ),
                probe("three axes", x=normal(2, 3, 4)),
                probe("as many rows as columns", x=normal(4, 4)),
                probe("non-contiguous", x=transposed(normal(5, 3))),
                probe("zero and its neighbours", x=literal([[0.0, 1e-8, -1e-8], [0.5, -0.5, 2.0]])),
                probe("the tails", x=literal([[-0.75, -3.0, 3.0], [-5.0, 5.0, 1.0]])),
                probe(
                    "±1000", x=literal([[1000.0, -1000.0, 0.5], [-1000.0, -0.25, 1000.0]]), convention=LARGE
                ),
            ),
            bench=probe("256 × 256", x=normal(256, 256)),
        ),
    ),
    mistakes=(
        mistake("tanh overflows", "unstable", gelu_tanh_forward=_exponentials_forward),
        mistake("the gate taken for a constant", "missing_term", "gate + x / 2 * (1 - t**2) * du", "gate"),
        mistake("slope of u forgotten", "missing_term", "(1 - t**2) * du", "(1 - t**2)"),
        mistake("slope of tanh forgotten", "missing_term", "(1 - t**2) * du", "du"),
        mistake("3 forgotten", "constant_factor", "1 + 3 * 0.044715", "1 + 0.044715"),
        mistake("tanh not squared", "wrong_operand", "(1 - t**2)", "(1 - t)"),
        mistake(
            "slope of the exact gelu",
            "wrong_operand",
            gelu_tanh_backward=lambda dout, cache: _exact_backward(dout, _exact_forward(cache[0])[1]),
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("upstream ignored", "ignores_upstream", "dout * (gate", "(gate"),
        mistake("x² for x³", "forward_wrong", "0.044715 * x**3", "0.044715 * x**2"),
        mistake("√(2/π) forgotten", "forward_wrong", "u = math.sqrt(2 / math.pi) * (", "u = ("),
        mistake(
            "the exact gelu",
            "consistent_with_wrong_forward",
            gelu_tanh_forward=_exact_forward,
            gelu_tanh_backward=_exact_backward,
        ),
    ),
    variants=(
        variant("math", gelu_tanh_forward=_loops_forward, gelu_tanh_backward=_loops_backward),
        variant(
            "by the sigmoid, a closure as cache",
            gelu_tanh_forward=_sigmoid_forward,
            gelu_tanh_backward=_sigmoid_backward,
        ),
        variant(
            "one step after the other, a class as cache",
            gelu_tanh_forward=_tape_forward,
            gelu_tanh_backward=_tape_backward,
        ),
    ),
    hints=(
        "Name the steps u, t, out. Differentiate each with respect to the one before, then use the product rule on x/2 · (1 + t).",
        "tanh′ u = 1 − t², and u′ is the derivative of a cubic, as in unit 1.",
        "Two terms: one with the gate as it is, one with the gate's slope (1 − t²) u′ times x/2. dout multiplies both.",
    ),
)
### END SPEC
