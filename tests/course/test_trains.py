"""Whole trainings: right ones keep every claim, and each way to go wrong is told by its cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autograd_check.course import He, Trains, at, line, reaches, relu_network, two_classes
from autograd_check.course.claims import Claim, Properties, Unanswered
from autograd_check.errors import CourseError
from autograd_check.requests import Candidate
from tests.solutions.asking import Asking

PROBES = (at(lr=0.1, epochs=1), at(N=4, lr=0.05, epochs=2), at(N=1, lr=0.1, epochs=3), at(N=5, lr=0.1, epochs=40))
FIT = Trains(
    "fit",
    "x[N] y[N] -> w[] b[]",
    loss=lambda w, b, x, y: F.mse_loss(w * x + b, y),
    data=line(slope=1.5, offset=-2, noise=0.1),
    sizes={"N": 7},
    probes=PROBES,
)
TRAIN = Trains(
    "train",
    "x[N,D] y[N,1] -> params",
    loss=lambda params, x, y: F.binary_cross_entropy_with_logits(relu_network(x, params), y),
    data=two_classes(),
    sizes={"N": 9, "D": 3},
    hyper={"dims": (3, 4, 1)},
    start=He(),
    history="loss",
    seeded=True,
    probes=(at(lr=0.1, epochs=1), at(N=6, lr=0.5, epochs=12)),
    learns=reaches(loss=0.4, N=100, lr=1.0, epochs=60),
)


def first_broken(task: Properties, function: Callable[..., Any]) -> Claim | None:
    """The first claim that does not hold."""
    candidate = cast(Candidate, Asking({task.name: function}))
    for claim in task.properties:
        try:
            made = claim.test(candidate, 0)
        except Unanswered as unanswered:
            return Claim(str(unanswered.args[0].says), unanswered.args[0].cause)
        if not made.holds:
            return made
    return None


def slopes(x: Tensor, y: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    error = 2 * (w * x + b - y) / len(x)
    return (error * x).sum(), error.sum()


def fitting(
    step: Callable[..., Any] | None = None, *, start: float = 0.0, extra: int = 0, back: Callable[..., Any] = lambda w, b: (w, b)
) -> Any:
    """`fit` as written by somebody: a step of their own, another start, another number of epochs, another form."""

    def right(x: Tensor, y: Tensor, w: Tensor, b: Tensor, lr: float, epoch: int) -> tuple[Tensor, Tensor]:
        dw, db = slopes(x, y, w, b)
        return w - lr * dw, b - lr * db

    def fit(x: Tensor, y: Tensor, *, lr: float, epochs: int) -> Any:
        w, b = x.new_full((), start), x.new_full((), start)
        for epoch in range(epochs + extra):
            w, b = (step or right)(x, y, w, b, lr, epoch)
        return back(w, b)

    return fit


def scaled(factor: Callable[[Tensor, int], float], only_w: bool = False) -> Callable[..., Any]:
    def step(x: Tensor, y: Tensor, w: Tensor, b: Tensor, lr: float, epoch: int) -> tuple[Tensor, Tensor]:
        dw, db = slopes(x, y, w, b)
        return w - factor(x, epoch) * lr * dw, b - (1 if only_w else factor(x, epoch)) * lr * db

    return step


def one_after_the_other(x: Tensor, y: Tensor, w: Tensor, b: Tensor, lr: float, epoch: int) -> tuple[Tensor, Tensor]:
    w = w - lr * slopes(x, y, w, b)[0]
    return w, b - lr * slopes(x, y, w, b)[1]


def once(x: Tensor, y: Tensor, w: Tensor, b: Tensor, lr: float, epoch: int) -> tuple[Tensor, Tensor]:
    dw, db = slopes(x, y, x.new_zeros(()), x.new_zeros(()))
    return w - lr * dw, b - lr * db


def elsewhere(x: Tensor, y: Tensor, w: Tensor, b: Tensor, lr: float, epoch: int) -> tuple[Tensor, Tensor]:
    return w - lr * slopes(x, y, w, b)[0] - 0.1, b + 0.3


def spoils(x: Tensor, y: Tensor, *, lr: float, epochs: int) -> Any:
    value = fitting()(x, y, lr=lr, epochs=epochs)
    x += 1
    return value


def in_float64_only(x: Tensor, y: Tensor, *, lr: float, epochs: int) -> Any:
    torch.ones(1, 1, dtype=torch.float64) @ x[:1, None]
    return fitting()(x, y, lr=lr, epochs=epochs)


def test_right_code_keeps_every_claim() -> None:
    assert first_broken(FIT, fitting()) is None
    assert first_broken(FIT, fitting(back=lambda w, b: [w, b])) is None
    assert first_broken(TRAIN, training()) is None


@pytest.mark.parametrize(
    ("fit", "cause", "says"),
    [
        (
            fitting(scaled(lambda x, e: -1.0)),
            "sign",
            "has the right length and goes uphill: subtract lr times the gradient (w and b)",
        ),
        (
            fitting(scaled(lambda x, e: len(x))),
            "missing_batch_mean",
            "is 7 times too long, and there are 7 rows: the loss is a mean",
        ),
        (
            fitting(scaled(lambda x, e: 1 / len(x))),
            "extra_batch_mean",
            "is 1/7 as long, and there are 7 rows: the mean was taken twice",
        ),
        (
            fitting(scaled(lambda x, e: 0.5)),
            "constant_factor",
            "The first step with N=7, lr=0.1 is 0.5 times the right one, in w and b",
        ),
        (fitting(scaled(lambda x, e: 0.0, only_w=True)), "zero_gradient", "After an epoch w did not move."),
        (fitting(one_after_the_other), "overwritten", "b is stepped by a gradient at the new parameters"),
        (
            fitting(once),
            "stale_state",
            "The first 1 steps with N=4, lr=0.05 are right, and the next is not: its gradient is that of the first",
        ),
        (fitting(scaled(lambda x, e: 1.0 if e < 20 else 0.5)), "wrong_operand", "The first 20 steps with N=5, lr=0.1 are right"),
        (
            fitting(scaled(lambda x, e: 1.0 if e < 20 else 0.5)),
            "wrong_operand",
            "it is 0.5 times as long. Keep lr as it is given",
        ),
        (fitting(elsewhere), "forward_wrong", "The first step with N=7, lr=0.1 is not along the gradient, in w and b."),
        (fitting(extra=1), "forward_wrong", "fit takes one step too many"),
        (fitting(extra=-1), "forward_wrong", "fit takes one step too few"),
        (fitting(start=0.5), "forward_wrong", "fit must start from 0"),
        (
            fitting(scaled(lambda x, e: float("inf"))),
            "not_finite",
            "After one epoch with N=7, lr=0.1 the parameters are not finite.",
        ),
        (
            fitting(back=lambda w, b: None),
            "returns_none",
            "fit returned None for epochs=0: return after the loop, not inside it.",
        ),
        (fitting(back=lambda w, b: w), "wrong_shape", "fit must return (w, b), 2 tensors of shape ()."),
        (
            fitting(back=lambda w, b: (float(w), float(b))),
            "wrong_type",
            "fit returns no tensors; return tensors, which keep their dtype.",
        ),
        (fitting(back=lambda w, b: (w.float(), b.float())), "wrong_dtype", "For torch.float64 fit returns torch.float32"),
        (fitting(back=lambda w, b: (w.float().to(w.dtype), b)), "wrong_dtype", "The parameters are right to float32 only"),
        (
            in_float64_only,
            "wrong_dtype",
            "On float32 data it raises RuntimeError; make new tensors with the dtype of the data. (expected m1 and m2",
        ),
        (spoils, "mutates_input", "fit changed argument 0 in place; make new tensors instead."),
    ],
)
def test_a_wrong_fit_is_told_why(fit: Callable[..., Any], cause: str, says: str) -> None:
    broken = first_broken(FIT, fit)
    assert broken is not None
    assert (broken.cause, says in broken.says) == (cause, True), broken


def training(
    *, spread: float = 2.0, bias: float = 0.0, keep: int | None = None, seed: int | None = None, after: bool = False, told: float = 0.0,
    halt: int = 10**6, random: bool = False, dims_of: Callable[..., Any] = tuple, form: Callable[..., Any] = lambda p, h: (p, h),
) -> Any:  # fmt: skip
    """`train` as written by somebody."""

    def train(x: Tensor, y: Tensor, *, dims: tuple[int, ...], lr: float, epochs: int, generator: Generator) -> Any:
        g = generator if seed is None else Generator().manual_seed(seed)
        if random:
            g = Generator().manual_seed(int(torch.randint(10**6, ()).item()))
        dims = dims_of(dims)
        params = [
            (
                (spread / i) ** 0.5 * torch.randn(i, o, generator=g, dtype=torch.float64).to(x.dtype),
                torch.full((o,), bias, dtype=x.dtype),
            )
            for i, o in zip(dims[:-1], dims[1:], strict=True)
        ]
        history: list[float] = []
        for _ in range(min(epochs, halt)):
            leaves = [p.clone().requires_grad_() for layer in params for p in layer]
            with torch.enable_grad():
                loss = F.binary_cross_entropy_with_logits(relu_network(x, list(zip(leaves[::2], leaves[1::2], strict=True))), y)
                grads = torch.autograd.grad(loss, leaves)
            new = [(p - lr * g).detach() for p, g in zip(leaves, grads, strict=True)]
            params = list(zip(new[::2], new[1::2], strict=True))
            if after:
                loss = F.binary_cross_entropy_with_logits(relu_network(x, params), y)
            history.append(float(loss.detach()) + told)
        return form(params, history if keep is None else history[:keep])

    return train


@pytest.mark.parametrize(
    ("train", "cause", "says"),
    [
        (training(spread=0.0), "zero_gradient", "All weights are 0: then every unit of a layer stays equal to its neighbour."),
        (training(spread=4.0), "constant_factor", "He's weights of layer 1 have standard deviation 0.2582; yours have"),
        (training(bias=0.1), "forward_wrong", "Biases start at 0; yours do not."),
        (training(seed=0), "nondeterministic", "Another seed gives the same run: the weights must come from the generator."),
        (training(keep=0), "wrong_shape", "1 epochs were asked for, and history has 0 losses."),
        (training(halt=5), "wrong_shape", "12 epochs were asked for, and history has 5 losses."),
        (training(told=0.1), "forward_wrong", "The loss of epoch 0 is"),
        (training(after=True), "wrong_operand", "history holds the loss after each step"),
        (training(form=lambda p, h: p), "wrong_shape", "train must return (params, history)."),
        (training(form=lambda p, h: (p, [*h, 0.0])), "wrong_shape", "history must be empty for epochs=0, yours has 1."),
        (training(dims_of=lambda dims: (*dims[:-1], 2, 1)), "wrong_shape", "For dims (3, 4, 1) the parameters have the shapes"),
        (training(dims_of=lambda dims: dims if len(dims) == 3 else (30, 9, 1)), "wrong_shape", "For dims (30, 100, 30, 1)"),
    ],
)
def test_a_wrong_training_is_told_why(train: Callable[..., Any], cause: str, says: str) -> None:
    broken = first_broken(TRAIN, train)
    assert broken is not None
    assert (broken.cause, says in broken.says) == (cause, True), broken


def test_what_is_random_besides_the_generator_is_seen() -> None:
    repeatable = next(claim for claim in TRAIN.properties if claim.check == "repeatable")
    broken = repeatable.test(cast(Candidate, Asking({"train": training(random=True)})), 0)
    assert (broken.cause, "Two runs from the same seed differ" in broken.says) == ("nondeterministic", True)


def test_a_training_that_does_not_learn_is_told() -> None:
    learns = next(claim for claim in TRAIN.properties if claim.check == "learns")
    broken = learns.test(cast(Candidate, Asking({"train": training(halt=0)})), 0)
    assert (broken.cause, "60 epochs on an easy problem should reach a loss of 0.4; yours is" in broken.says) == ("unknown", True)


def test_what_raises_is_no_claim() -> None:
    def fails(x: Tensor, y: Tensor, *, lr: float, epochs: int) -> None:
        raise RuntimeError("not today")

    broken = first_broken(FIT, fails)
    assert broken is not None
    assert broken.says == "not today"


def test_a_probe_says_its_rate_and_its_epochs() -> None:
    with pytest.raises(CourseError, match=r"at\(N=3\): say epochs and lr as well; sizes are N"):
        Trains(
            "fit", "x[N] -> w[]", loss=lambda w, x: w, data=line(slope=1, offset=0, noise=0), sizes={"N": 4}, probes=(at(N=3),)
        )
