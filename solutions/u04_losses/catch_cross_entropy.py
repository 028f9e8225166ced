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

from solutions.u01_derivatives.finite_difference import numerical_gradient


def check_cross_entropy(forward, backward, *, generator):
    """forward(scores, y), backward(dout, cache) → whether they are a cross-entropy and its gradient."""
    ### BEGIN SOLUTION
    for rows, classes, shift in ((5, 4, 0), (1, 4, 0), (3, 7, 0), (4, 3, 1000)):
        scores = shift + torch.randn(rows, classes, generator=generator, dtype=torch.float64)
        y = torch.randint(classes - 1, (rows,), generator=generator)
        dout = torch.tensor(-2.5, dtype=torch.float64)
        given = scores.clone()
        loss, cache = forward(given, y)
        dscores = backward(dout, cache)
        right = (torch.logsumexp(scores, 1) - scores[torch.arange(rows), y]).mean()
        numeric = dout * numerical_gradient(lambda s, y=y: forward(s, y)[0], scores, h=1e-5)
        if not (torch.equal(given, scores) and _close(loss, right) and _close(dscores, numeric)):
            return False
    return True
    ### END SOLUTION


### BEGIN SOLUTION
def _close(got, expected):
    return got.shape == expected.shape and bool(((got - expected).abs() <= 1e-6 * (1 + expected.abs())).all())


### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course import Benchmark, Cause, Lesson, Specimen, WriteTheTest, drop, edit, planted

RIGHT = """
def forward(scores, y):
    shifted = scores - scores.amax(1, keepdim=True)
    logp = shifted - shifted.exp().sum(1, keepdim=True).log()
    return -logp[torch.arange(len(y)), y].mean(), (logp, y)


def backward(dout, cache):
    logp, y = cache
    dscores = logp.exp()
    dscores[torch.arange(len(y)), y] -= 1
    return dout * dscores / len(y)
"""

LOOPS = """
def forward(scores, y):
    total, probabilities = 0.0, []
    for row, right in zip(scores.tolist(), y.tolist()):
        top = max(row)
        powers = [math.exp(score - top) for score in row]
        total += math.log(sum(powers)) + top - row[right]
        probabilities.append([power / sum(powers) for power in powers])
    return torch.tensor(total / len(y), dtype=scores.dtype), (probabilities, y.tolist())


def backward(dout, cache):
    probabilities, targets = cache
    rows = [[p - (c == right) for c, p in enumerate(row)] for row, right in zip(probabilities, targets)]
    return torch.tensor(rows, dtype=torch.float64) / len(targets) * dout
"""

CLOSURE = """
def forward(scores, y):
    onehot = (torch.arange(scores.shape[1]) == y[:, None]).to(scores.dtype)
    loss = (torch.logsumexp(scores, 1) - (scores * onehot).sum(1)).mean()
    return loss, lambda dout: (torch.softmax(scores, 1) - onehot) * (dout / len(y))


def backward(dout, cache):
    return cache(dout)
"""

OBJECT = """
class Saved:
    pass


def forward(scores, y):
    saved = Saved()
    saved.against = scores - scores.gather(1, y[:, None])
    top = saved.against.max(1, keepdim=True).values
    saved.surprise = top + (saved.against - top).exp().sum(1, keepdim=True).log()
    saved.y = y
    return saved.surprise.sum() / y.numel(), saved


def backward(dout, saved):
    each = dout.to(saved.against.dtype) / saved.y.numel()
    dscores = torch.exp(saved.against - saved.surprise) * each
    return dscores.scatter_add(1, saved.y[:, None], -each.expand(len(saved.y), 1))
"""


MAXIMUM = "scores - scores.amax(1, keepdim=True)"
RIGHT_CLASS = "    dscores[torch.arange(len(y)), y] -= 1\n"
END = "    return dout"


def bug(name, says, *edits):
    """The right implementation with one mistake in it."""
    return planted(name, says, RIGHT, *edits)


WRONG = (
    bug("no mean in the gradient", "forgets to divide its gradient by N", ("dscores / len(y)", "dscores")),
    bug("sums", "adds the rows up, in both passes", (".mean()", ".sum()"), (" / len(y)", "")),
    bug(
        "logarithm to base 2",
        "takes logarithms to base 2, in both passes",
        (".mean(),", ".mean() / math.log(2),"),
        ("/ len(y)", "/ len(y) / math.log(2)"),
    ),
    bug("dout ignored", "takes dout for 1", ("dout * dscores", "dscores")),
    bug("dout without sign", "loses the sign of dout", ("dout * dscores", "dout.abs() * dscores")),
    bug("right class forgotten", "never pulls the right class up", (RIGHT_CLASS, "")),
    bug(
        "every row with every target",
        "gives every row all rows' targets",
        ("torch.arange(len(y)), y].mean", ":, y].mean"),
    ),
    bug(
        "squeezed",
        "drops an axis when there is one row only",
        ("dscores / len(y)", "(dscores / len(y)).squeeze(0)"),
    ),
    bug("classes counted", "takes max y for the last class", ("logp.exp()", "logp.exp()[:, : y.max() + 1]")),
    bug("overflow", "overflows for scores of 1000", (MAXIMUM, "scores")),
    bug("scores overwritten", "writes into scores", (MAXIMUM, "scores.sub_(scores.amax(1, keepdim=True))")),
    bug("last row lost", "leaves the last row of its gradient at 0", (END, f"    dscores[-1] = 0\n{END}")),
    bug("one entry", "gets one entry wrong, by 1 %", (END, f"    dscores[0, 0] *= 1.01\n{END}")),
    bug("a thousandth", "is off by a thousandth everywhere", ("dout * dscores", "1.001 * dout * dscores")),
)


def _bench(lesson):
    scope = {"torch": torch, "math": math}
    exec(RIGHT, scope)
    scores = torch.linspace(-2, 2, 20, dtype=torch.float64).reshape(5, 4).requires_grad_()
    y = torch.tensor([0, 1, 2, 0, 1])
    check, passes = lesson["check_cross_entropy"], (scope["forward"], scope["backward"])
    return (
        lambda: check(*passes, generator=torch.Generator().manual_seed(0)),
        lambda: torch.autograd.gradcheck(lambda s: torch.nn.functional.cross_entropy(s, y), scores),
    )


LESSON = Lesson(
    name="catch_cross_entropy",
    title="Write the test: cross-entropy",
    source="Myers, The Art of Software Testing (1979), chapter 2; DeMillo, Lipton, Sayward (1978), on planted bugs",
    requires=("cross_entropy", "finite_difference"),
    forbids=("cross_entropy",),
    points=15,
    minutes=30,
    tasks=(
        WriteTheTest(
            "check_cross_entropy",
            handed=("forward", "backward"),
            wrong=WRONG,
            right=(
                Specimen("textbook", RIGHT),
                Specimen("python numbers", LOOPS),
                Specimen("a closure as cache", CLOSURE),
                Specimen("an object as cache", OBJECT),
            ),
        ),
    ),
    benchmarks=(Benchmark("the check, beside one gradcheck", "four batches", _bench),),
    mistakes=(
        edit("torch.tensor(-2.5", "torch.tensor(1.0", "dout of 1", Cause.MISSED_BUG),
        edit("torch.tensor(-2.5", "torch.tensor(2.5", "dout positive", Cause.MISSED_BUG),
        drop("_close(loss, right) and ", "the value is not looked at", Cause.MISSED_BUG),
        drop(" and _close(dscores, numeric)", "the gradient is not looked at", Cause.MISSED_BUG),
        drop("(1, 4, 0), ", "never a batch of one", Cause.MISSED_BUG),
        edit(", (4, 3, 1000))", ")", "never large scores", Cause.MISSED_BUG),
        edit(
            "torch.randint(classes - 1, (rows,), generator=generator)",
            "(-1 - torch.arange(rows)) % classes",
            "all classes present",
            Cause.MISSED_BUG,
        ),
        edit("1e-6 * (1", "1e-2 * (1", "a loose tolerance", Cause.MISSED_BUG),
        edit(
            "_close(dscores, numeric)",
            "_close(dscores.sum(), numeric.sum())",
            "only the sum of the gradient",
            Cause.MISSED_BUG,
        ),
        drop("torch.equal(given, scores) and ", "changes are not looked at", Cause.MISSED_BUG),
        edit("<= 1e-6 * (1 + expected.abs())", "== 0", "asks for the same bits", Cause.FALSE_ALARM),
        edit(
            "dscores = backward(dout, cache)",
            "logp, y = cache; dscores = backward(dout, (logp.clone(), y))",
            "looks into the cache",
            Cause.CRASHED,
        ),
        edit("return False", "return True", "accepts everything", Cause.MISSED_BUG),
        edit("    return True", "    return False", "rejects everything", Cause.FALSE_ALARM),
        drop("    return True\n", "forgets to answer", Cause.RETURNS_NONE),
    ),
    why="A bug stays hidden where two formulas agree: at a dout of 1, in a batch of one, in a sum over all entries. Inputs that are unlike one another, compared entry by entry, leave it no such place.",
    hints=(
        "Two different questions: is the loss the one that was defined, and is dscores the gradient of what forward computes?",
        "Choose inputs that are unlike one another: one row, more classes than rows, a class that never occurs, huge scores, a negative dout.",
        "Compare entry by entry, shapes first, with a tolerance that rounding passes and 1 part in 1000 does not; nan passes no comparison.",
    ),
)
### END SPEC
