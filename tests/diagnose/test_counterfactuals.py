"""What is the right answer to another question is named by what was changed in the question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from autograd_check.causes import Cause
from autograd_check.diagnose import counterfactuals
from autograd_check.diagnose.evidence import Around, Evidence
from autograd_check.diagnose.relations import Relation, relate


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def evidence(
    forward: Callable[..., Tensor], subject: str, wrong: Callable[..., Tensor], primals: Mapping[str, Tensor], **hyper: Any
) -> Evidence:
    """Evidence about one gradient of a function of torch; `wrong` gets the cotangent and the primals."""

    def at(inputs: Mapping[str, Any], settings: Mapping[str, Any], dout: Any, around: Around = nullcontext) -> dict[str, Any]:
        leaves = {name: x.detach().clone().requires_grad_() for name, x in inputs.items()}
        with around():
            value = forward(*leaves.values(), **settings)
        grads = torch.autograd.grad(value, list(leaves.values()), dout(value) if callable(dout) else dout)
        return {"out": value.detach(), **{f"d{name}": grad for name, grad in zip(leaves, grads, strict=True)}}

    out = forward(*primals.values(), **hyper)
    dout = tensor(*out.shape, seed=99)
    right = at(primals, hyper, dout)
    got = out if subject == "out" else right[subject]
    got = wrong(dout, *primals.values())
    return Evidence(
        subject, got, right[subject], primals, hyper, out, dout, lambda d: at(primals, hyper, d), {subject: got}, at=at
    )


def conv(x: Tensor, w: Tensor) -> Tensor:
    return functional.conv1d(x, w)


CONV = {"x": tensor(2, 3, 8), "w": tensor(4, 3, 3, seed=1)}


def conv_dx(dout: Tensor, w: Tensor) -> Tensor:
    return functional.conv_transpose1d(dout, w)


def overwritten(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
    dx = torch.zeros_like(x)
    for place in range(dout.shape[2]):
        dx[:, :, place : place + 3] = torch.einsum("no,ocj->ncj", dout[:, :, place], w)
    return dx


def linear(x: Tensor, w: Tensor) -> Tensor:
    return x @ w


LINEAR = {"x": tensor(4, 3), "w": tensor(3, 5, seed=1)}
SQUARE = {"x": tensor(4, 4)}


def soft(x: Tensor) -> Tensor:
    return torch.softmax(x, -1)


def soft_dx(dout: Tensor, x: Tensor, axis: int) -> Tensor:
    out = torch.softmax(x, axis)
    return out * (dout - (dout * out).sum(axis, keepdim=True))


def leaky(x: Tensor, *, slope: float = 0.01) -> Tensor:
    return functional.leaky_relu(x, slope)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    return (p.exp() * (p - q)).sum(-1)


def pooled(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 2)


def pooled_dx(dout: Tensor) -> Tensor:
    return torch.kron(dout, torch.full((1, 1, 2, 2), 0.25, dtype=dout.dtype))


def last_zeroed(dout: Tensor, *axes: int) -> Tensor:
    dout = dout.clone()
    for axis in axes:
        dout.select(axis, -1).zero_()
    return dout


def depthwise(x: Tensor, w: Tensor) -> Tensor:
    return functional.conv1d(x, w, groups=3)


DEPTHWISE = {"x": tensor(2, 3, 8), "w": tensor(3, 1, 3, seed=1)}


def depthwise_dx(dout: Tensor, w: Tensor) -> Tensor:
    return functional.conv_transpose1d(dout, w, groups=3)


CASES: list[tuple[Relation, Evidence, str, str]] = [
    (
        counterfactuals.overwritten,
        evidence(conv, "dx", overwritten, CONV),
        "overwritten",
        "they overwrite one another, or only one of them is taken. All of them add up.",
    ),
    (
        counterfactuals.overwritten,
        evidence(linear, "dw", lambda d, x, w: x[-1:].T @ d[-1:], LINEAR),
        "overwritten",
        "contribution of the last index",
    ),
    (
        counterfactuals.overwritten,
        evidence(linear, "dw", lambda d, x, w: x[:1].T @ d[:1], LINEAR),
        "rows_missing",
        "one index of dout along axis 0 only",
    ),
    (
        counterfactuals.flipped_operand,
        evidence(conv, "dx", lambda d, x, w: conv_dx(d, w.flip(2)), CONV),
        "flipped",
        "if w ran backwards along axis 2",
    ),
    (
        counterfactuals.another_axis,
        evidence(soft, "dx", lambda d, x: soft_dx(d, x, 0), SQUARE),
        "wrong_axis",
        "right along the wrong axis",
    ),
    (
        counterfactuals.own_entry_only,
        evidence(soft, "dx", lambda d, x: d * soft(x) * (1 - soft(x)), SQUARE),
        "missing_term",
        "diagonal of the Jacobian",
    ),
    (
        counterfactuals.another_setting,
        evidence(leaky, "dx", lambda d, x: torch.where(x > 0, d, 0.01 * d), SQUARE, slope=0.3),
        "wrong_operand",
        "for the default of slope",
    ),
    (
        counterfactuals.another_setting,
        evidence(leaky, "dx", lambda d, x: torch.where(x > 0, d, 0 * d), SQUARE, slope=0.3),
        "missing_term",
        "for slope=0",
    ),
    (
        counterfactuals.another_operand,
        evidence(torch.sin, "dx", lambda d, x: d * torch.cos(torch.sin(x)), SQUARE),
        "wrong_operand",
        "at out instead of x",
    ),
    (
        counterfactuals.another_operand,
        evidence(divergence, "dq", lambda d, p, q: -d[:, None] * q.exp(), {"p": tensor(4, 3), "q": tensor(4, 3, seed=1)}),
        "",
        "",
    ),
    (
        counterfactuals.another_cotangent,
        evidence(torch.relu, "dx", lambda d, x: d * (d > 0), SQUARE),
        "wrong_operand",
        "the mask belongs to the input, not to dout",
    ),
    (
        counterfactuals.ignored_primal,
        evidence(linear, "dx", lambda d, x, w: d @ torch.ones_like(w).T, LINEAR),
        "missing_term",
        "if w were all 1",
    ),
    (
        counterfactuals.left_out,
        evidence(pooled, "dx", lambda d, x: pooled_dx(last_zeroed(d, 2, 3)), {"x": tensor(2, 3, 6, 8)}),
        "rows_missing",
        "along axis 2, along axis 3, or along both",
    ),
    (
        counterfactuals.left_out,
        evidence(pooled, "dx", lambda d, x: pooled_dx(last_zeroed(d, 2)), {"x": tensor(2, 3, 6, 8)}),
        "rows_missing",
        "the last index of dout along axis 2 contributes",
    ),
    (
        counterfactuals.left_out,
        evidence(pooled, "dx", lambda d, x: pooled_dx(0.5 * (d + last_zeroed(d, 2, 3))), {"x": tensor(2, 3, 6, 8)}),
        "",
        "",
    ),
    (
        counterfactuals.stuck_operand,
        evidence(depthwise, "dx", lambda d, x, w: depthwise_dx(d, w[:1].expand(3, 1, 3)), DEPTHWISE),
        "wrong_operand",
        "if w had its first index along axis 0 everywhere",
    ),
    (
        counterfactuals.stuck_operand,
        evidence(depthwise, "dx", lambda d, x, w: depthwise_dx(d, w[[0, 0, 2]]), DEPTHWISE),
        "",
        "",
    ),
]


@pytest.mark.parametrize(("relation", "piece", "cause", "words"), CASES)
def test_a_question_that_fits_is_found(relation: Relation, piece: Evidence, cause: str, words: str) -> None:
    found = relate(relation, [piece])
    assert (str(found.cause) if found else "") == cause
    assert words in (found.says if found else "")


def test_the_divergence_with_its_arguments_exchanged_is_found() -> None:
    primals = {"p": tensor(4, 3), "q": tensor(4, 3, seed=1)}

    def wrong(dout: Tensor, p: Tensor, q: Tensor) -> Tensor:
        return divergence(q, p)

    found = relate(counterfactuals.another_operand, [evidence(divergence, "out", wrong, primals)])
    assert found is not None
    assert found.cause == "wrong_operand"
    assert "p and q exchanged" in found.says


@pytest.mark.parametrize("relation", [case[0] for case in CASES])
def test_what_answers_no_question_is_left_alone(relation: Relation) -> None:
    near = evidence(conv, "dx", lambda d, x, w: conv_dx(d, w) * 1.001, CONV)
    other = evidence(soft, "dx", lambda d, x: soft_dx(d, x, -1) + 1e-3 * d.sin(), SQUARE)
    assert relate(relation, [near]) is None
    assert relate(relation, [other]) is None


@pytest.mark.parametrize(("index", "words"), [(-1, "last"), (0, "first")])
def test_an_index_that_a_loop_leaves_out_or_stays_at(index: int, words: str) -> None:
    def less(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
        kept = dout.clone()
        kept[:, :, index] = 0
        return conv_dx(kept, w)

    def stuck(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return conv_dx(dout[:, :, index].unsqueeze(2).expand_as(dout), w)

    def half(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
        kept = dout.clone()
        kept[:, :, index] *= 0.5
        return conv_dx(kept, w)

    left = counterfactuals.left_out([evidence(conv, "dx", less, CONV)])
    assert left is not None
    assert (left.cause, left.evidence) == ("rows_missing", {"axis": 2, "index": words})
    stays = counterfactuals.left_out([evidence(conv, "dx", stuck, CONV)])
    assert stays is not None
    assert (stays.cause, stays.evidence) == ("wrong_operand", {"axis": 2, "index": words})
    assert counterfactuals.left_out([evidence(conv, "dx", half, CONV)]) is None


def strided_conv(x: Tensor, w: Tensor, stride: int = 1) -> Tensor:
    return functional.conv1d(x, w, stride=stride)


def test_a_setting_that_the_backward_forgets_is_found_though_the_sizes_differ() -> None:
    def dw(dout: Tensor, x: Tensor, w: Tensor) -> Tensor:
        return torch.stack([torch.einsum("nop,ncp->oc", dout, x[:, :, k : k + dout.shape[2]]) for k in range(w.shape[2])], 2)

    piece = evidence(strided_conv, "dw", dw, CONV, stride=2)
    found = counterfactuals.another_setting([piece])
    assert found is not None
    assert (found.cause, found.evidence) == ("missing_term", {"hyper": "stride", "as if": 1})
    near = evidence(strided_conv, "dw", lambda dout, x, w: dw(dout, x, w) + 1e-3 * w, CONV, stride=2)
    assert counterfactuals.another_setting([near]) is None


def test_a_label_that_stays_0_is_found() -> None:
    scores, y = tensor(6, 4), torch.tensor([1, 0, 3, 2, 2, 1])

    def at(primals: Mapping[str, Any], hyper: Mapping[str, Any], dout: Any, around: Around = nullcontext) -> dict[str, Any]:
        leaf = primals["scores"].detach().clone().requires_grad_()
        value = functional.cross_entropy(leaf, primals["y"])
        return {"out": value.detach(), "dscores": torch.autograd.grad(value, leaf, dout)[0]}

    dout, primals = tensor(), {"scores": scores, "y": y}
    right = at(primals, {}, dout)["dscores"]
    wrong = at({"scores": scores, "y": torch.zeros_like(y)}, {}, dout)["dscores"]
    piece = Evidence(
        "dscores", wrong, right, primals, {}, functional.cross_entropy(scores, y), dout, lambda _: {}, {"dscores": wrong}, at=at
    )
    found = counterfactuals.ignored_primal([piece])
    assert found is not None
    assert (found.cause, found.says) == (
        Cause.WRONG_OPERAND,
        "dscores is what it would be if y were all 0: y is not used.",
    )
    near = replace(piece, got=wrong + 1e-4 * right)
    assert counterfactuals.ignored_primal([near]) is None
