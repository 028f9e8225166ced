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

from solutions.u05_optimisers.adam import adam_step


def check_adam(step, *, generator):
    """step(param, grad, state, *, lr, betas, eps) → whether it is Adam."""
    ### BEGIN SOLUTION
    for hyper in ({"lr": 0.1}, {"lr": 0.02, "betas": (0.5, 0.8), "eps": 0.1}):
        params = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((3, 2), (4,))]
        states, twins, twin_states = [None, None], list(params), [None, None]
        for _ in range(12):
            for k, param in enumerate(params):
                grad = torch.randn(param.shape, generator=generator, dtype=torch.float64)
                given_param, given_grad = param.clone(), grad.clone()
                params[k], states[k] = step(given_param, given_grad, states[k], **hyper)
                twins[k], twin_states[k] = adam_step(twins[k], grad, twin_states[k], **hyper)
                if not (torch.equal(given_param, param) and torch.equal(given_grad, grad)):
                    return False
                if not torch.allclose(params[k], twins[k], rtol=1e-9, atol=1e-12):
                    return False
    return True
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import Benchmark, Cause, Lesson, Specimen, WriteTheTest, drop, edit, planted

RIGHT = """
def step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    m, v, t = state or (torch.zeros_like(grad), torch.zeros_like(grad), 0)
    b1, b2 = betas
    t = t + 1
    m, v = m.lerp(grad, 1 - b1), v.lerp(grad**2, 1 - b2)
    m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
    return param - lr * m_hat / (v_hat.sqrt() + eps), (m, v, t)
"""

OBJECT = """
class Moments:
    def __init__(self, like):
        self.first, self.second, self.steps = torch.zeros_like(like), torch.zeros_like(like), 0


def step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    state = Moments(param) if state is None else state
    state.steps += 1
    state.first.mul_(betas[0]).add_(grad, alpha=1 - betas[0])
    state.second.mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
    correction1, correction2 = (1 - beta**state.steps for beta in betas)
    root = state.second.sqrt() / math.sqrt(correction2) + eps
    return param - lr / correction1 * (state.first / root), state
"""

EFFICIENT = """
def step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    state = state or {"t": 0, "m": 0.0, "v": 0.0}
    t = state["t"] + 1
    m = state["m"] + (1 - betas[0]) * (grad - state["m"])
    v = state["v"] + (1 - betas[1]) * (grad * grad - state["v"])
    scale = (1 - betas[1] ** t) ** 0.5
    return param - lr * scale / (1 - betas[0] ** t) * m / (v**0.5 + eps * scale), {"t": t, "m": m, "v": v}
"""

HISTORY = """
def step(param, grad, state, *, lr, betas=(0.9, 0.999), eps=1e-8):
    grads = [*(state or []), grad.clone()]
    averages = []
    for beta, power in zip(betas, (1, 2)):
        weights = [beta**age for age in range(len(grads))]
        total = sum(weight * g**power for weight, g in zip(weights, reversed(grads)))
        averages.append(total / sum(weights))
    return param - lr * averages[0] / (averages[1].sqrt() + eps), grads
"""


def bug(name, says, *edits):
    """The right implementation with one mistake in it."""
    return planted(name, says, RIGHT, *edits)


WRONG = (
    bug("m uncorrected", "does not correct the bias of m", ("m / (1 - b1**t)", "m")),
    bug("v uncorrected", "does not correct the bias of v", ("v / (1 - b2**t)", "v")),
    bug("state forgotten", "starts from an empty state at every step", ("(m, v, t)\n", "None\n")),
    bug("count forgotten", "corrects every step as if it were the first", ("(m, v, t)\n", "(m, v, 0)\n")),
    bug("count stops", "stops counting after 9 steps", ("t = t + 1", "t = min(t + 1, 9)")),
    planted(
        "one count for all",
        "counts the steps of all parameters together",
        "\ncount = [0]\n\n" + RIGHT,
        ("t = t + 1", "count[0] += 1\n    t = count[0]"),
    ),
    bug("epsilon inside", "adds eps inside the root", ("(v_hat.sqrt() + eps)", "(v_hat + eps).sqrt()")),
    bug(
        "eps ignored", "takes eps for 1e-8 whatever it is told", ("v_hat.sqrt() + eps", "v_hat.sqrt() + 1e-8")
    ),
    bug(
        "betas ignored",
        "takes betas for (0.9, 0.999) whatever it is told",
        ("b1, b2 = betas", "b1, b2 = 0.9, 0.999"),
    ),
    bug("wrong default", "has 0.99 for 0.999 as its default", ("(0.9, 0.999)", "(0.9, 0.99)")),
    bug("betas exchanged", "exchanges the two betas", ("b1, b2 = betas", "b2, b1 = betas")),
    bug(
        "param overwritten",
        "writes into param",
        ("param - lr * m_hat / (v_hat.sqrt() + eps)", "param.sub_(lr * m_hat / (v_hat.sqrt() + eps))"),
    ),
    bug(
        "grad overwritten",
        "writes into grad",
        ("    t = t + 1\n", "    t = t + 1\n    grad = grad.mul_(1 + 1e-15 * t)\n"),
    ),
    bug(
        "mirrored",
        "moves every entry by the update of the one opposite it",
        (
            "lr * m_hat / (v_hat.sqrt() + eps)",
            "(lr * m_hat / (v_hat.sqrt() + eps)).reshape(-1).flip(0).reshape(param.shape)",
        ),
    ),
    bug(
        "a little decay",
        "shrinks every parameter by a ten-thousandth at each step",
        ("return param", "return param * 0.9999"),
    ),
)


def _bench(lesson):
    scope = {"torch": torch}
    exec(RIGHT, scope)
    param = torch.nn.Parameter(torch.ones(4, dtype=torch.float64))
    param.grad = torch.full_like(param, 0.3)

    def torchs():
        optimiser = torch.optim.Adam([param], lr=0.1)
        for _ in range(12):
            optimiser.step()

    return lambda: lesson["check_adam"](scope["step"], generator=torch.Generator().manual_seed(0)), torchs


LESSON = Lesson(
    name="catch_adam",
    title="Write the test: Adam",
    source="Kingma, Ba (2015), algorithm 1; McKeeman, Differential testing for software (1998)",
    requires=("adam",),
    forbids=("optim",),
    points=15,
    minutes=25,
    tasks=(
        WriteTheTest(
            "check_adam",
            handed=("step",),
            wrong=WRONG,
            right=(
                Specimen("textbook", RIGHT),
                Specimen("an object as state", OBJECT),
                Specimen("the correction inside lr", EFFICIENT),
                Specimen("all gradients kept", HISTORY),
            ),
        ),
    ),
    benchmarks=(
        Benchmark(
            "the check of a right implementation, beside 12 steps", "two sets of hyperparameters", _bench
        ),
    ),
    mistakes=(
        edit("range(12)", "range(1)", "one step only", Cause.MISSED_BUG),
        edit("range(12)", "range(5)", "five steps only", Cause.MISSED_BUG),
        edit(', {"lr": 0.02, "betas": (0.5, 0.8), "eps": 0.1})', ",)", "defaults only", Cause.MISSED_BUG),
        edit('{"lr": 0.1}', '{"lr": 0.1, "betas": (0.9, 0.999)}', "never the defaults", Cause.MISSED_BUG),
        drop(', "eps": 0.1', "eps never large", Cause.MISSED_BUG),
        drop("torch.equal(given_param, param) and ", "param is not looked at", Cause.MISSED_BUG),
        drop(" and torch.equal(given_grad, grad)", "grad is not looked at", Cause.MISSED_BUG),
        edit("rtol=1e-9, atol=1e-12", "rtol=0.1, atol=0.1", "a loose tolerance", Cause.MISSED_BUG),
        edit(
            "torch.allclose(params[k], twins[k], rtol=1e-9, atol=1e-12)",
            "torch.equal(params[k], twins[k])",
            "asks for the same bits",
            Cause.FALSE_ALARM,
        ),
        edit(
            "if not (torch.equal(given_param",
            "m, v, t = states[k]\n                if not (torch.equal(given_param",
            "unpacks the state",
            Cause.CRASHED,
        ),
        edit("return False", "return True", "accepts everything", Cause.MISSED_BUG),
        edit("    return True", "    return False", "rejects everything", Cause.FALSE_ALARM),
    ),
    hints=(
        "Let both run side by side, yours and theirs, from the same parameters with the same gradients. When do you compare?",
        "Each bug needs its occasion: another beta, an eps that matters, a second parameter, more than a handful of steps.",
        "Hand in copies and keep the originals: that is how you see what was written into.",
    ),
)
### END SPEC
