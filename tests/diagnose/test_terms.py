"""An edit of one factor or one term is named, wherever it is; what is no such edit is left alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.factors import edited_factor, one_factor_per_slice
from autograd_check.diagnose.letters import Letters
from autograd_check.diagnose.relations import relate
from autograd_check.diagnose.terms import edited_reduction, edited_term
from autograd_check.verify.finding import Diagnosis

Backward = Callable[[Tensor, Tensor], Tensor]


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pieces(forward: Callable[[Tensor], Tensor], right: Backward, wrong: Backward) -> list[Evidence]:
    """Two probes of other sizes, as a check would hand them on."""
    found = []
    for seed, shape in enumerate(((4, 5), (3, 7))):
        x, dout = tensor(*shape, seed=seed), tensor(*shape, seed=seed + 10)

        def vjp(d: Any, x: Tensor = x) -> Mapping[str, Any]:
            return {"dx": right(d, x)}

        got = wrong(dout, x)
        found.append(Evidence("dx", got, right(dout, x), {"x": x}, {}, forward(x), dout, vjp, {"dx": got}))
    return found


def softmax(dout: Tensor, x: Tensor) -> Tensor:
    out = torch.softmax(x, -1)
    return out * (dout - (dout * out).sum(-1, keepdim=True))


def silu(dout: Tensor, x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return dout * (gate + x * gate * (1 - gate))


def soft(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def gated(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


SOFTMAX_WRONG: list[tuple[Backward, str, str]] = [
    (lambda d, x: soft(x) * d, "missing_term", "out · Σ(dout · out) over the last axis"),
    (lambda d, x: soft(x) * (d + (d * soft(x)).sum(-1, keepdim=True)), "sign", "wrong sign"),
    (lambda d, x: soft(x) * (d - (d * soft(x)).mean(-1, keepdim=True)), "mean_for_sum", "a mean stands for a sum"),
    (lambda d, x: soft(x) * (d - (d * soft(x)).sum(0, keepdim=True)), "wrong_axis", "over the wrong axis"),
    (lambda d, x: soft(x) * (d - d.sum(-1, keepdim=True)), "missing_term", "They differ by the factor out."),
    (
        lambda d, x: soft(x) * (d - (d * soft(x)).sum(-1, keepdim=True) / 2),
        "missing_term",
        "exactly half of out · Σ(dout · out)",
    ),
]


@pytest.mark.parametrize(("wrong", "cause", "words"), SOFTMAX_WRONG)
def test_an_edited_sum_is_named(wrong: Backward, cause: str, words: str) -> None:
    found = relate(edited_term, pieces(soft, softmax, wrong))
    assert isinstance(found, Diagnosis)
    assert (str(found.cause), found.source) == (cause, "relation")
    assert words in found.says


def test_one_of_two_terms_with_the_wrong_sign_is_named() -> None:
    def wrong(dout: Tensor, x: Tensor) -> Tensor:
        gate = torch.sigmoid(x)
        return dout * (gate - x * gate * (1 - gate))

    found = relate(edited_term, pieces(gated, silu, wrong))
    assert found is not None
    assert found.cause == "sign"


def test_a_factor_that_one_of_two_terms_lacks_is_named() -> None:
    def wrong(dout: Tensor, x: Tensor) -> Tensor:
        gate = torch.sigmoid(x)
        return dout * (gate + gate * (1 - gate))

    found = relate(edited_term, pieces(gated, silu, wrong))
    assert found is not None
    assert found.cause == "missing_term"
    assert "factor x is missing" in found.says


FACTORS: list[tuple[Callable[[Tensor], Tensor], Backward, Backward, str, str]] = [
    (torch.square, lambda d, x: 2 * x * d, lambda d, x: 2 * d, "missing_term", "The factor x is missing"),
    (torch.square, lambda d, x: 2 * x * d, lambda d, x: 2 * x.abs() * d, "sign", "wherever x is negative"),
    (torch.tanh, lambda d, x: d * (1 - torch.tanh(x) ** 2), lambda d, x: d * (1 - x**2), "wrong_operand", "(1 − x²) stands where"),
    (torch.sigmoid, lambda d, x: d * torch.sigmoid(x) * (1 - torch.sigmoid(x)), lambda d, x: d * x * (1 - x), "wrong_operand", "out(1"),
    (torch.sigmoid, lambda d, x: d * torch.sigmoid(x) * torch.sigmoid(-x), lambda d, x: d * torch.exp(-x.abs()) * torch.sigmoid(x.abs()), "missing_term", "The factor 1/(1 + exp(−|x|)) is missing"),
    (torch.exp, lambda d, x: d * torch.exp(x), lambda d, x: d * torch.exp(2 * x), "extra_term", "the factor out too many"),
]  # fmt: skip


@pytest.mark.parametrize(("forward", "right", "wrong", "cause", "words"), FACTORS)
def test_an_edited_factor_is_named(
    forward: Callable[[Tensor], Tensor], right: Backward, wrong: Backward, cause: str, words: str
) -> None:
    found = relate(edited_factor, pieces(forward, right, wrong))
    assert found is not None
    assert str(found.cause) == cause
    assert words in found.says


def test_the_sum_of_a_row_that_is_forgotten_is_named() -> None:
    """The shares of a log-sum-exp, not divided by their sum; dout has no axis for them."""

    def shares(d: Tensor, x: Tensor) -> Tensor:
        return d[:, :1] * torch.softmax(x, -1)

    def not_divided(d: Tensor, x: Tensor) -> Tensor:
        return d[:, :1] * torch.exp(x - x.amax(-1, keepdim=True))

    found = relate(edited_factor, pieces(lambda x: torch.logsumexp(x, -1), shares, not_divided))
    assert found is not None
    assert found.says == "The factor 1/Σ exp(x − max) over the last axis is missing from dx."
    divided_by_rows = relate(
        edited_factor, pieces(lambda x: torch.logsumexp(x, -1), shares, lambda d, x: not_divided(d, x) / len(x))
    )
    assert divided_by_rows is None


def test_one_factor_for_each_row_is_told_as_that() -> None:
    def wrong(d: Tensor, x: Tensor) -> Tensor:
        return d * torch.sin(x.abs().cumsum(-1)[:, -1:])

    found = relate(one_factor_per_slice, pieces(torch.clone, lambda d, x: d, wrong))
    assert found is not None
    assert found.says.startswith("dx is right up to a factor that is the same for all entries along axis 1, and another for each")
    assert relate(one_factor_per_slice, pieces(torch.clone, lambda d, x: d, lambda d, x: d * torch.sin(x))) is None
    single = [
        replace(piece, got=piece.got[:, :1], expected=piece.expected[:, :1])
        for piece in pieces(torch.clone, lambda d, x: d, wrong)
    ]
    assert relate(one_factor_per_slice, [replace(piece, got=2 * piece.got) for piece in single]) is None


def test_a_factor_may_be_edited_in_some_entries_only() -> None:
    """A factor forgotten to the left of 0 alone."""

    def forward(x: Tensor) -> Tensor:
        return torch.where(x > 0, x, x**2 / 2)

    found = relate(edited_factor, pieces(forward, lambda d, x: torch.where(x > 0, d, d * x), lambda d, x: d))
    assert found is not None
    assert found.cause == "missing_term"
    assert "in every entry that is wrong" in found.says


@pytest.mark.parametrize(
    "near",
    [
        lambda d, x: softmax(d, x) + 1e-4 * soft(x) * (d * x * soft(x)).sum(-1, keepdim=True).sin(),
        lambda d, x: soft(x) * (d - (d * soft(x)).sum(-1, keepdim=True).tanh()),
        lambda d, x: softmax(d, x) * (1 + 1e-3 * x.cos().tanh()),
    ],
)
def test_what_is_no_edit_of_a_term_is_left_alone(near: Backward) -> None:
    found = pieces(soft, softmax, near)
    assert relate(edited_factor, found) is None
    assert relate(edited_term, found) is None


def deviation(x: Tensor) -> Tensor:
    return torch.rsqrt(x.var(0, correction=0) + 1e-5)


def normalised(x: Tensor) -> Tensor:
    return (x - x.mean(0)) * deviation(x)


def test_a_mean_over_another_axis_than_the_layers_is_named() -> None:
    def dx(dout: Tensor, x: Tensor, axis: int = 0) -> Tensor:
        hat = normalised(x)
        variance = hat * (dout * hat).mean(axis, keepdim=True)
        return (dout - dout.mean(0) - variance) * deviation(x)

    found = relate(edited_term, pieces(normalised, dx, lambda dout, x: dx(dout, x, 1)))
    assert found is not None
    assert found.cause == "wrong_axis"
    assert "A sum runs over the wrong axis" in found.says


def test_an_edit_must_hold_on_every_probe() -> None:
    right, other = pieces(soft, softmax, lambda d, x: soft(x) * d), pieces(soft, softmax, lambda d, x: softmax(d, x).sin())
    assert relate(edited_term, right) is not None
    assert relate(edited_term, [right[0], other[1]]) is None


def test_a_sum_of_another_product_is_named() -> None:
    """x for x̂ in the gradient of a scale."""
    x, dout = tensor(6, 4), tensor(6, 4, seed=1)
    centred = x - x.mean(0)
    hat = centred / (centred.square().mean(0) + 1e-5).sqrt()
    primals = {"x": x, "gamma": tensor(4, seed=2)}

    def dgamma(dout: Any) -> Mapping[str, Any]:
        return {"dgamma": (dout * hat).sum(0)}

    def piece(got: Tensor) -> Evidence:
        return Evidence("dgamma", got, (dout * hat).sum(0), primals, {}, hat * primals["gamma"], dout, dgamma, {"dgamma": got})

    found = relate(edited_reduction, [piece((dout * x).sum(0)), piece((dout * x).sum(0))])
    assert found is not None
    assert (str(found.cause), found.evidence["is"]) == ("wrong_operand", "x")
    assert relate(edited_reduction, [piece((dout * x.sin()).sum(0))] * 2) is None


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4)])
def test_a_sum_that_lacks_the_root_mean_square_is_named(shape: tuple[int, ...]) -> None:
    gamma = tensor(4, seed=2)

    def piece(wrong: Callable[[Tensor, Tensor, Tensor], Tensor], *shape: int) -> Evidence:
        x, dout = tensor(*shape), tensor(*shape, seed=1)
        hat = x * (x.square().mean(-1, keepdim=True) + 1e-5).rsqrt()

        def total(value: Tensor) -> Tensor:
            return value.reshape(-1, 4).sum(0)

        got, right = total(wrong(dout, x, hat)), total(dout * hat)
        return Evidence("dgamma", got, right, {"x": x, "gamma": gamma}, {}, hat * gamma, dout, lambda _: {}, {"dgamma": got})

    pieces = [piece(lambda dout, x, hat: dout * x, *shape), piece(lambda dout, x, hat: dout * x, 4)]  # one row alone as well
    found = relate(edited_reduction, pieces)
    assert found is not None
    assert found.says == "dgamma sums dout · x where it should sum dout · x/rms over the last axis."
    assert relate(edited_reduction, [piece(lambda dout, x, hat: dout * hat.sin(), *shape)] * 2) is None


def test_nothing_is_made_of_class_numbers_but_themselves() -> None:
    scores, y = tensor(6, 4), torch.tensor([1, 0, 3, 2, 2, 1])
    right, wrong = (torch.softmax(scores, -1) / 6 for _ in range(2))
    right[torch.arange(6), y] -= 1 / 6
    wrong[torch.arange(6), scores.argmax(1)] -= 1 / 6
    out, dout = torch.nn.functional.cross_entropy(scores, y), torch.ones((), dtype=torch.float64)
    piece = Evidence("dscores", wrong, right, {"scores": scores, "y": y}, {}, out, dout, lambda _: {}, {"dscores": wrong})
    letters = Letters(piece)
    assert "y" in letters.base
    assert "(1 − y)" not in letters.more
    found = relate(edited_term, [piece])
    assert found is None or "1 − y" not in found.says
