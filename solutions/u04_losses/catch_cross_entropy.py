"""Write the test: cross-entropy
=============================

You have written a softmax cross-entropy. Now somebody else has, and you are to say whether it is right. You get two functions,

    forward(scores, y) → (loss, cache)         scores (N, C) float64, y (N,) class indices, loss ()
    backward(dout, cache) → dscores            dout (), dscores (N, C)

and answer True or False. They are right if all of this holds, for every shape and every dout:

- loss is the mean over the rows of −log softmax(scores)[y], and dscores its gradient times dout;
- both are exact for scores of ±1000;
- scores is not changed.

Your test is tested: it must reject a dozen implementations, each with one planted bug, and accept several right ones, which round differently
and keep what they like in their cache. The bugs hide where tests do not look: a dout of 1, a batch without the last class, a single entry.
`generator` is there for random numbers. A test that raises an exception has rejected.
Torch's own cross_entropy is off limits as a yardstick, here as everywhere; the definition above and your numerical_gradient are enough.
"""

import torch

from solutions.u01_derivatives.finite_difference import numerical_gradient


def check_cross_entropy(forward, backward, *, generator):
    """forward(scores, y) and backward(dout, cache) → whether they are a softmax cross-entropy and its gradient."""
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

from autograd_check.course.spec import Benchmark, Lesson, Specimen, WriteTheTest, mistake, planted, variant

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

WRONG = (
    planted(
        "no mean in the gradient",
        "forgets to divide its gradient by N",
        RIGHT,
        ("dscores / len(y)", "dscores"),
    ),
    planted(
        "sums",
        "adds the rows up instead of averaging them, in both passes",
        RIGHT,
        (".mean()", ".sum()"),
        (" / len(y)", ""),
    ),
    planted(
        "logarithm to base 2",
        "takes logarithms to base 2, in both passes",
        RIGHT,
        (".mean(),", ".mean() / math.log(2),"),
        ("/ len(y)", "/ len(y) / math.log(2)"),
    ),
    planted("dout ignored", "takes dout for 1", RIGHT, ("dout * dscores", "dscores")),
    planted("dout without sign", "loses the sign of dout", RIGHT, ("dout * dscores", "dout.abs() * dscores")),
    planted(
        "right class forgotten",
        "never pulls the right class up",
        RIGHT,
        ("    dscores[torch.arange(len(y)), y] -= 1\n", ""),
    ),
    planted(
        "every row with every target",
        "compares every row with the targets of all rows",
        RIGHT,
        ("logp[torch.arange(len(y)), y]", "logp[:, y]"),
    ),
    planted(
        "squeezed",
        "drops an axis when there is one row only",
        RIGHT,
        ("dout * dscores / len(y)", "(dout * dscores / len(y)).squeeze(0)"),
    ),
    planted(
        "classes counted",
        "takes the largest target for the number of classes",
        RIGHT,
        ("logp.exp()", "logp.exp()[:, : int(y.max()) + 1]"),
    ),
    planted(
        "overflow", "overflows for scores of 1000", RIGHT, ("scores - scores.amax(1, keepdim=True)", "scores")
    ),
    planted(
        "scores overwritten",
        "writes into scores",
        RIGHT,
        ("scores - scores.amax(1, keepdim=True)", "scores.sub_(scores.amax(1, keepdim=True))"),
    ),
    planted(
        "last row lost",
        "leaves the last row of its gradient at 0",
        RIGHT,
        ("    return dout", "    dscores[-1] = 0\n    return dout"),
    ),
    planted(
        "one entry",
        "gets a single entry of its gradient wrong, by 1 %",
        RIGHT,
        ("    return dout", "    dscores[0, 0] *= 1.01\n    return dout"),
    ),
    planted(
        "a thousandth",
        "is off by a thousandth in every entry of its gradient",
        RIGHT,
        ("dout * dscores", "1.001 * dout * dscores"),
    ),
)


def _by_formula(forward, backward, *, generator):
    """Compares with a cross-entropy of its own instead of finite differences, and asserts."""
    for rows, classes in ((6, 3), (1, 5), (2, 4)):
        for scale in (1.0, 1000.0):
            scores = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
            y = torch.zeros(rows, dtype=torch.int64)
            y[0] = classes - 2
            copy = scores.clone()
            for size in (1.0, -0.5):
                dout = torch.tensor(size, dtype=torch.float64)
                loss, cache = forward(scores, y)
                p = torch.softmax(copy, 1)
                onehot = torch.nn.functional.one_hot(y, classes)
                assert torch.allclose(loss, torch.logsumexp(copy, 1).mean() - (copy * onehot).sum() / rows)
                dscores = backward(dout, cache)
                assert dscores.shape == p.shape
                assert torch.allclose(dscores, dout * (p - onehot) / rows, rtol=1e-6, atol=1e-12)
                assert torch.equal(copy, scores)
    return True


def _by_literals(forward, backward, *, generator):
    """A few cases worked out by hand, two of them with one row; the answer is a tensor."""
    half = math.log(2)
    cases = (
        (
            [[0.0, 0.0, -1000.0], [1000.0, 1000.0, 0.0]],
            [0, 1],
            half,
            [[-0.25, 0.25, 0.0], [0.25, -0.25, 0.0]],
        ),
        (
            [[1000.0, 0.0], [0.0, -1000.0], [0.0, 1000.0]],
            [1, 0, 0],
            2000 / 3,
            [[1 / 3, -1 / 3], [0.0, 0.0], [-1 / 3, 1 / 3]],
        ),
        ([[0.0, 0.0]], [0], half, [[-0.5, 0.5]]),
        ([[0.0, math.log(2), math.log(5)]], [1], math.log(4), [[0.125, -0.75, 0.625]]),
        (
            [[math.log(3), 0.0], [0.0, 0.0], [0.0, math.log(3)]],
            [0, 0, 0],
            math.log(4 / 3 * 2 * 4) / 3,
            [[-1 / 12, 1 / 12], [-1 / 6, 1 / 6], [-1 / 4, 1 / 4]],
        ),
    )
    fine = torch.tensor(True)
    for entries, targets, right, slopes in cases:
        scores, y = torch.tensor(entries, dtype=torch.float64), torch.tensor(targets)
        before = scores.clone()
        for size in (1.0, -3.0):
            loss, cache = forward(scores, y)
            dscores = backward(torch.tensor(size, dtype=torch.float64), cache)
            wanted = size * torch.tensor(slopes, dtype=torch.float64)
            if dscores.shape != wanted.shape:
                return torch.tensor(False)
            fine = (
                fine & ((loss - right).abs() < 1e-9 * (1 + right)) & ((dscores - wanted).abs() < 1e-9).all()
            )
            fine = fine & (before == scores).all()
    return fine


def _by_directions(forward, backward, *, generator):
    """Differences along random directions, many of them, and the value from its definition."""

    def value(scores, y):
        rows = [
            max(row) + math.log(sum(math.exp(s - max(row)) for s in row)) - row[t]
            for row, t in zip(scores.tolist(), y.tolist(), strict=True)
        ]
        return sum(rows) / len(rows)

    for attempt in range(30):
        rows, classes = ((4, 3), (1, 3), (2, 6))[attempt % 3]
        scale = 1000.0 if attempt % 5 == 4 else 1.0
        scores = torch.randn(rows, classes, generator=generator, dtype=torch.float64) * scale
        y = torch.randint(classes - 1, (rows,), generator=generator)
        direction = torch.randn(scores.shape, generator=generator, dtype=torch.float64)
        dout = torch.randn((), generator=generator, dtype=torch.float64) - 1
        kept = scores.clone()
        loss, cache = forward(scores, y)
        dscores = backward(dout, cache)
        if (
            not torch.equal(kept, scores)
            or dscores.shape != scores.shape
            or abs(loss.item() - value(scores, y)) > 1e-9 * scale
        ):
            return False
        slope = (value(scores + 1e-5 * direction, y) - value(scores - 1e-5 * direction, y)) / 2e-5
        if abs(dout.item() * slope - (dscores * direction).sum().item()) > 1e-7 * scale:
            return False
    return True


def _bench(lesson):
    scope = {"torch": torch, "math": math}
    exec(RIGHT, scope)
    scores = torch.linspace(-2, 2, 20, dtype=torch.float64).reshape(5, 4).requires_grad_()
    y = torch.tensor([0, 1, 2, 0, 1])
    return (
        lambda: lesson["check_cross_entropy"](
            scope["forward"], scope["backward"], generator=torch.Generator().manual_seed(0)
        ),
        lambda: torch.autograd.gradcheck(lambda s: torch.nn.functional.cross_entropy(s, y), scores),
    )


LESSON = Lesson(
    name="catch_cross_entropy",
    title="Write the test: cross-entropy",
    source="Myers, The Art of Software Testing (1979), chapter 2; DeMillo, Lipton, Sayward, Hints on test data selection (1978), on planted bugs",
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
    benchmarks=(
        Benchmark("the check of a right implementation, beside one gradcheck", "four batches", _bench),
    ),
    target=None,
    mistakes=(
        mistake("dout of 1", "missed_bug", "torch.tensor(-2.5", "torch.tensor(1.0"),
        mistake("dout positive", "missed_bug", "torch.tensor(-2.5", "torch.tensor(2.5"),
        mistake("the value is not looked at", "missed_bug", "_close(loss, right) and ", ""),
        mistake("the gradient is not looked at", "missed_bug", " and _close(dscores, numeric)", ""),
        mistake("never a batch of one", "missed_bug", "(1, 4, 0), ", ""),
        mistake("never large scores", "missed_bug", ", (4, 3, 1000))", ")"),
        mistake(
            "all classes present",
            "missed_bug",
            "torch.randint(classes - 1, (rows,), generator=generator)",
            "(-1 - torch.arange(rows)) % classes",
        ),
        mistake("a loose tolerance", "missed_bug", "1e-6 * (1", "1e-2 * (1"),
        mistake(
            "only the sum of the gradient",
            "missed_bug",
            "_close(dscores, numeric)",
            "_close(dscores.sum(), numeric.sum())",
        ),
        mistake("changes are not looked at", "missed_bug", "torch.equal(given, scores) and ", ""),
        mistake("asks for the same bits", "false_alarm", "<= 1e-6 * (1 + expected.abs())", "== 0"),
        mistake(
            "looks into the cache",
            "crashed",
            "dscores = backward(dout, cache)",
            "logp, y = cache; dscores = backward(dout, (logp.clone(), y))",
        ),
        mistake("accepts everything", "missed_bug", "return False", "return True"),
        mistake("rejects everything", "false_alarm", "    return True", "    return False"),
        mistake("forgets to answer", "returns_none", "    return True\n", ""),
    ),
    variants=(
        variant("by formula, with asserts", check_cross_entropy=_by_formula),
        variant("cases worked out by hand", check_cross_entropy=_by_literals),
        variant("along random directions", check_cross_entropy=_by_directions),
    ),
    hints=(
        "Two different questions: is the loss the one that was defined, and is dscores the gradient of what forward computes?",
        "Choose inputs that are unlike one another: one row, more classes than rows, a class that never occurs, huge scores, a negative dout.",
        "Compare entry by entry, shapes first, with a tolerance that rounding passes and 1 part in 1000 does not; nan passes no comparison.",
    ),
)
### END SPEC
