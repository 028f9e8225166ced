"""Every relation names its cause, says it in the promised words, and stays silent about its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.explain import explain
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.diagnose.gaps import entries_missing
from autograd_check.diagnose.relations import (
    RELATIONS,
    an_argument,
    another_gradient,
    factor_in_some,
    product_rule,
    relate,
    zero_where_wrong,
)
from autograd_check.diagnose.where import where_wrong
from autograd_check.verify.finding import Diagnosis

N, D, M = 4, 3, 5


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, W, B, DOUT = tensor(N, D), tensor(D, M, seed=1), tensor(M, seed=2), tensor(N, M, seed=3)


def linear_vjp(dout: Any) -> Mapping[str, Any]:
    return {"dx": dout @ W.T, "dw": X.T @ dout, "db": dout.sum(0)}


def piece(subject: str, got: Tensor, **changes: Any) -> Evidence:
    right = linear_vjp(DOUT)
    values: dict[str, Any] = {
        "subject": subject,
        "got": got,
        "expected": right[subject],
        "primals": {"x": X, "w": W, "b": B},
        "hyper": {},
        "out": X @ W + B,
        "dout": DOUT,
        "vjp": linear_vjp,
        "got_all": {**right, subject: got},
        "own": right[subject],
    }
    return Evidence(**{**values, **changes})


def cause_of(evidence: Evidence) -> str:
    found = explain([evidence])
    assert isinstance(found, Diagnosis)
    return found.cause


@pytest.mark.parametrize(
    ("subject", "wrong", "cause", "words"),
    [
        ("dw", lambda: -(X.T @ DOUT), "sign", "opposite sign"),
        ("dw", lambda: X.T @ DOUT / N, "extra_batch_mean", "this batch has 4 rows: you took a mean over the batch"),
        ("dw", lambda: X.T @ DOUT * N, "missing_batch_mean", "the division by N of the mean is missing"),
        ("dw", lambda: 2 * X.T @ DOUT, "constant_factor", "a factor 2 too many"),
        ("dw", lambda: 0.5 * X.T @ DOUT, "constant_factor", "a factor 2 too few"),
        ("dw", lambda: 0.77 * X.T @ DOUT, "constant_factor", "exactly 0.77 times the right value"),
        ("dw", lambda: torch.zeros(D, M), "zero_gradient", "zero in every entry"),
        ("dw", lambda: (X.T @ DOUT).T, "transposed", "must have the shape (3, 5)"),
        ("dw", lambda: X.T @ torch.ones_like(DOUT), "ignores_upstream", "dout were all ones"),
        ("dw", lambda: (X.T @ DOUT).flip(0), "flipped", "reverse order along axis 0"),
        ("dw", lambda: X[:, :, None] * DOUT[:, None, :], "missing_reduction", "summed over axis 0 it is right"),
        ("db", lambda: DOUT.mean(0), "mean_for_sum", "mean of dout over axis 0"),
        ("db", lambda: DOUT.sum(1), "wrong_axis", "sums dout over axis 1; it belongs over axis 0"),
        ("db", lambda: DOUT.sum() * torch.ones(M, dtype=torch.float64), "wrong_axis", "sums dout over axis 0, 1"),
        ("db", lambda: DOUT, "missing_reduction", "summed over axis 0"),
        ("dx", lambda: X.T @ DOUT, "swapped", "is dw"),
        ("dx", lambda: DOUT @ W.T + X.mean(0, keepdim=True), "missing_term", "along axis 0"),
        ("dx", lambda: torch.full((N, D), float("nan")), "not_finite", "12 of 12 entries"),
        ("dx", lambda: torch.sin(DOUT @ W.T), "unknown", "every entry"),
    ],
)
def test_a_relation_has_its_cause_and_words(subject: str, wrong: Callable[[], Tensor], cause: str, words: str) -> None:
    found = explain([piece(subject, wrong().to(torch.float64))])
    assert found is not None
    assert found.cause == cause, found
    assert words in found.says


def line(primals: Any, hyper: Any, dout: Any, around: Any = None) -> Mapping[str, Any]:
    x, w, b = (primals[name] for name in "xwb")
    slopes = dout * 2 * (w * x + b) / len(x)
    return {"dw": (slopes * x).sum(), "db": slopes.sum()}


@pytest.mark.parametrize(
    ("subject", "asks", "cause", "words"),
    [
        ("db", line, "extra_term", "db is the same as dw, which is right: it has the factor x too many, which only dw has."),
        ("dw", line, "missing_term", "dw is the same as db, which is right: the factor x is missing, which only dw has."),
        (
            "db",
            None,
            "wrong_operand",
            "db is the same as dw, which is right: one of the two has a factor that the other has not.",
        ),
    ],
)
def test_of_two_gradients_that_are_the_same_one_has_a_factor_that_the_other_has_not(
    subject: str, asks: Any, cause: str, words: str
) -> None:
    """Which of the two is asked of the definition; the numbers of one call do not say."""
    primals = {"x": tensor(N), "w": tensor(seed=1), "b": tensor(seed=2)}
    right = line(primals, {}, 1.5)
    other = {"dw": "db", "db": "dw"}[subject]
    changes = {"expected": right[subject], "primals": primals, "vjp": lambda _: right, "dout": torch.tensor(1.5), "at": asks}
    found = another_gradient([piece(subject, right[other], got_all={"dw": right[other], "db": right[other]}, **changes)])
    assert found is not None
    assert (found.cause, found.says) == (cause, words)
    swapped = another_gradient([piece(subject, right[other], got_all={"dw": right["db"], "db": right["dw"]}, **changes)])
    assert swapped is not None
    assert swapped.cause == "swapped"


def test_a_factor_must_hold_on_every_probe() -> None:
    good = piece("dw", X.T @ DOUT / N)
    bad = piece("dw", X.T @ DOUT * 0.3)
    found = explain([good, bad])
    assert found is not None
    assert found.cause == "constant_factor"
    assert "depends on the data or their sizes" in found.says


def test_a_factor_may_be_a_hyperparameter() -> None:
    found = explain([piece("dw", X.T @ DOUT * 0.3, hyper={"slope": 0.3})])
    assert found is not None
    assert "0.3 is slope" in found.says


def test_one_part_in_a_thousand_is_no_coincidence() -> None:
    """2.001 for 2 is not called a factor 2."""
    found = explain([piece("dw", 2.001 * (X.T @ DOUT))])
    assert found is not None
    assert "2.001 times" in found.says


def relu_piece(got: Tensor, **changes: Any) -> Evidence:
    x = tensor(5, 6, seed=7)
    dout = tensor(5, 6, seed=8)

    def vjp(d: Any) -> Mapping[str, Any]:
        return {"dx": d * (x > 0)}

    values: dict[str, Any] = {
        "subject": "dx",
        "got": got,
        "expected": vjp(dout)["dx"],
        "primals": {"x": x},
        "hyper": {},
        "out": x.clamp(min=0),
        "dout": dout,
        "vjp": vjp,
        "got_all": {"dx": got},
    }
    return Evidence(**{**values, **changes})


def test_masks() -> None:
    x, dout = tensor(5, 6, seed=7), tensor(5, 6, seed=8)
    assert cause_of(relu_piece(dout)) == "mask_missing"
    assert cause_of(relu_piece(dout * (x <= 0))) == "mask_inverted"


def test_consistent_with_a_wrong_forward_comes_before_everything_else() -> None:
    wrong = -(X.T @ DOUT)
    found = explain([piece("dw", wrong, own=wrong, forward_right=False)])
    assert found is not None
    assert found.cause == "consistent_with_wrong_forward"
    assert "Fix the forward first" in found.says


def test_an_output_in_place_of_the_input_is_seen_where_the_function_is_elementwise() -> None:
    x, dout = tensor(3, 4, seed=5), tensor(3, 4, seed=6)
    out = x**2

    def vjp(d: Any) -> Mapping[str, Any]:
        return {"dx": d * 2 * x}

    evidence = Evidence("dx", dout * 2 * out, vjp(dout)["dx"], {"x": x}, {}, out, dout, vjp, {})
    assert cause_of(evidence) == "wrong_operand"


def test_a_border_is_seen() -> None:
    dout = tensor(2, 3, 6, 7, seed=9)
    got = dout.clone()
    got[..., 0, :] = 0
    evidence = Evidence("dx", got, dout, {"x": dout}, {"padding": 1}, dout, dout, lambda d: {"dx": d}, {})
    assert cause_of(evidence) == "border"
    without = explain([replace(evidence, hyper={})])
    assert without is not None
    assert without.cause == "rows_missing"
    assert "lacks what the first index of dout along axis 2 contributes" in without.says


def test_a_column_against_a_row_is_seen() -> None:
    p = tensor(6, 1, seed=10)
    expected = p * 2
    got = (p - tensor(6, seed=11)) * 0.3
    evidence = Evidence("dp", got, expected, {"p": p}, {}, tensor(), tensor(seed=1), lambda d: {"dp": expected * d}, {})
    assert cause_of(evidence) == "silent_broadcast"


def test_a_known_mistake_gives_its_cause_where_the_relation_says_less() -> None:
    wrong = torch.sin(DOUT @ W.T)
    known = Fingerprint("sine of the gradient", Cause.MISSING_TERM, lambda primals, hyper, dout: {"dx": torch.sin(dout @ W.T)})
    found = explain([piece("dx", wrong)], [known])
    assert found is not None
    assert found.cause == "missing_term"
    assert "sine of the gradient" in found.says


def test_a_known_mistake_that_is_right_on_this_probe_is_no_match() -> None:
    right = Fingerprint("no mistake here", Cause.SIGN, lambda primals, hyper, dout: {"dx": dout @ W.T})
    found = explain([piece("dx", DOUT @ W.T + 1e-3 * X)], [right])
    assert found is not None
    assert found.cause == "unknown"


def test_where_it_is_wrong_is_said_when_nothing_else_can_be() -> None:
    got = (X.T @ DOUT).clone()
    got[1] = torch.cos(got[1])
    found = explain([piece("dw", got)])
    assert found is not None
    assert "5 of 15 entries, all of them at index 1 of axis 0" in found.says
    assert "look at the backward alone" in found.says


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (slice(1, 4), "right but for rows 1 to 3, where it is 0"),
        (slice(3, 4), "but for row 3,"),
        (slice(0, 2), "but for rows 0 to 1,"),
    ],
)
def test_rows_that_a_loop_leaves_out_are_named(rows: slice, words: str) -> None:
    got = DOUT @ W.T
    got[rows] = 0
    found = explain([piece("dx", got)])
    assert found is not None
    assert found.cause == "rows_missing"
    assert words in found.says


def test_rows_that_are_wrong_otherwise_or_in_the_middle_are_not_left_out() -> None:
    middle, other = DOUT @ W.T, DOUT @ W.T
    middle[1] = 0
    other[2:] = 1
    assert cause_of(piece("dx", middle)) != "rows_missing"
    assert cause_of(piece("dx", other)) != "rows_missing"


def test_any_number_is_a_multiple_of_any_other() -> None:
    def numbers(*factors: float) -> list[Evidence]:
        right = [torch.tensor(value, dtype=torch.float64) for value in (2.0, -3.0, 0.7)]
        return [
            piece("db", f * r, expected=r, own=r, dout=torch.tensor(1.5, dtype=torch.float64), vjp=lambda dout: {})
            for f, r in zip(factors, right, strict=False)
        ]

    for factors, cause in (((1.7, -0.3, 0.9), "unknown"), ((1.7,), "unknown"), ((1.7, 1.7, 1.7), "constant_factor")):
        found = explain(numbers(*factors))
        assert found is not None
        assert found.cause == cause


def test_n_minus_1_for_n_is_named() -> None:
    def losses(rows: int) -> Evidence:
        right = tensor(3, seed=rows)
        x = tensor(rows, 3)
        return piece(
            "db",
            right * rows / (rows - 1),
            expected=right,
            own=right,
            primals={"x": x},
            dout=torch.tensor(1.5),
            vjp=lambda dout: {},
        )

    found = explain([losses(4), losses(7)])
    assert found is not None
    assert (found.cause, found.says) == (
        "constant_factor",
        "db is divided by N - 1, where N is the number of rows; the mean divides by N.",
    )


def test_no_evidence_no_diagnosis() -> None:
    assert explain([]) is None


def test_of_two_mistakes_with_one_gradient_alike_the_one_that_fits_all_gradients_is_named() -> None:
    wrong = DOUT.sum(0).abs().sqrt() * 0.1
    half = Fingerprint("only db", Cause.SIGN, lambda primals, hyper, dout: {"dw": X.T @ dout * 0, "db": wrong})
    whole = Fingerprint(
        "both", Cause.MISSING_TERM, lambda primals, hyper, dout: {"dx": dout @ W.T, "dw": X.T @ dout, "db": wrong}
    )
    found = explain([piece("db", wrong)], [half, whole])
    assert found is not None
    assert found.cause == "missing_term"


def test_an_array_of_sixty_axes_costs_the_grader_nothing() -> None:
    x = tensor(2, 3, seed=12)
    got = x[(None,) * 58]
    evidence = Evidence("dx", got, x * 2, {"x": x}, {}, x, x, lambda d: {"dx": d * 2}, {})
    assert cause_of(evidence) == "wrong_shape"


EMPTY = [((2, 3, 0, 0), (2, 3, 4, 5)), ((0,), (4, 3)), ((4, 3), (0, 3)), ((0, 3), (3, 0)), ((0, 3), (0, 3)), ((4, 0), (4, 0, 2))]


@pytest.mark.parametrize(("got", "expected"), EMPTY)
def test_no_relation_holds_for_an_empty_array(got: tuple[int, ...], expected: tuple[int, ...]) -> None:
    arrays = tensor(*got), tensor(*expected)
    changes = {"vjp": lambda dout: {"dx": arrays[1], "dw": arrays[0]}, "hyper": {"padding": 1}, "out": arrays[0]}
    for own, forward_right in ((None, True), (arrays[0], False)):
        empty = piece("dx", arrays[0], expected=arrays[1], own=own, forward_right=forward_right, **changes)
        assert [relation.__name__ for relation in RELATIONS if relate(relation, [empty]) is not None] == []


def test_an_empty_gradient_is_of_the_wrong_shape_and_nothing_else() -> None:
    found = explain([piece("dx", tensor(2, 3, 0, 0), expected=tensor(2, 3, 4, 5, seed=1))])
    assert found is not None
    assert (found.cause, found.says) == ("wrong_shape", "dx has shape (2, 3, 0, 0) where (2, 3, 4, 5) is expected.")


def test_an_empty_gradient_on_one_probe_leaves_the_cause_of_the_others() -> None:
    negated = piece("dw", -(X.T @ DOUT))
    empty = piece("dw", tensor(0, M))
    found = explain([empty, negated, negated])
    assert found is not None
    assert found.cause == "sign"


def test_an_empty_gradient_is_no_fingerprint() -> None:
    known = Fingerprint("nothing returned", Cause.OVERWRITTEN, lambda primals, hyper, dout: {"dw": tensor(0, M)})
    found = explain([piece("dw", tensor(0, M))], [known])
    assert found is not None
    assert found.cause == "wrong_shape"


def test_a_loop_that_leaves_one_row_out_of_a_sum_is_seen() -> None:
    for kept, words in ((slice(0, N - 1), "lacks what the last index"), (slice(1, N), "lacks what the first index")):
        found = explain([piece("dw", X[kept].T @ DOUT[kept])])
        assert found is not None
        assert found.cause == "rows_missing"
        assert words in found.says


def test_an_index_that_stays_where_it_should_run_is_seen() -> None:
    found = explain([piece("dw", X.T @ DOUT[:1].expand(N, M))])
    assert found is not None
    assert found.cause == "wrong_operand"
    assert "takes the first index of dout along axis 0 for all of them" in found.says


def test_an_argument_that_is_handed_through_is_named() -> None:
    x, dout = tensor(5, 6, seed=7), tensor(5, 6, seed=8)
    slope = Evidence("dx", dout, dout * x.cos(), {"x": x}, {}, x.sin(), dout, lambda d: {"dx": d * x.cos()}, {})
    found = explain([slope])
    assert found is not None
    assert (found.cause, found.says) == ("missing_term", "dx is dout as it came in: the slope of the function is missing.")
    found = explain([replace(slope, got=x.sin())])
    assert found is not None
    assert (found.cause, found.says) == ("wrong_operand", "dx is out itself, whatever dout is.")


def test_a_factor_in_some_entries_only_is_named() -> None:
    right = DOUT @ W.T
    got = torch.where(right > 0, right, 0.3 * right)
    found = explain([piece("dx", got)])
    assert found is not None
    assert found.cause == "constant_factor"
    assert "0.3 times the right value in every entry that is wrong, and right elsewhere" in found.says
    found = explain([piece("dx", torch.where(right > 0, right, -right))])
    assert found is not None
    assert found.cause == "sign"


def test_the_right_numbers_in_another_order_are_seen() -> None:
    right = tensor(2, 12, seed=20)
    got = right.reshape(2, 3, 4).transpose(1, 2).reshape(2, 12)
    evidence = Evidence("dx", got, right, {"x": right}, {}, None, None, lambda d: {}, {})
    found = explain([evidence])
    assert found is not None
    assert found.cause == "transposed"
    assert "the right numbers in another order" in found.says
    assert cause_of(replace(evidence, got=right.roll(1, 1) + 1e-5 * right)) != "transposed"


def elementwise(got: Tensor, slope: Tensor, x: Tensor, out: Tensor, dout: Tensor) -> Evidence:
    """Evidence about a function of single entries whose slope is known."""
    return Evidence("dx", got, dout * slope, {"x": x}, {}, out, dout, lambda d: {"dx": d * slope}, {"dx": got})


A, G = tensor(4, 6, seed=20), tensor(4, 6, seed=21)


def test_one_factor_in_the_wrong_entries_only() -> None:
    right, negative = G * A.abs(), A < 0
    found = factor_in_some([elementwise(torch.where(negative, -right, right), A.abs(), A, A, G)])
    assert found is not None
    assert (found.cause, found.says) == ("sign", "dx has the opposite sign in every entry that is wrong.")
    tripled = factor_in_some([elementwise(torch.where(negative, 3 * right, right), A.abs(), A, A, G)])
    assert tripled is not None
    assert (tripled.cause, tripled.evidence) == ("constant_factor", {"factor": 3.0})
    uneven = torch.where(negative, right * (2 + A), right)
    assert factor_in_some([elementwise(uneven, A.abs(), A, A, G)]) is None
    assert factor_in_some([elementwise(-right, A.abs(), A, A, G)]) is None  # every entry: another relation's


def test_zeros_where_something_else_belongs() -> None:
    right, masked = G * A, A > 0
    found = zero_where_wrong([elementwise(torch.where(masked, 0, right), A, A, A**2 / 2, G)])
    assert found is not None
    assert (found.cause, found.evidence) == ("missing_term", {"entries": int(masked.sum())})
    assert "0 in every entry that is wrong, and right elsewhere" in found.says
    row = elementwise(0 * right[:1], A[:1], A[:1], A[:1] ** 2 / 2, G[:1])  # a probe at which all of it is masked out
    assert zero_where_wrong([elementwise(torch.where(masked, 0, right), A, A, A**2 / 2, G), row]) is not None
    small = torch.where(masked, 1e-3, right)
    assert zero_where_wrong([elementwise(small, A, A, A**2 / 2, G)]) is None
    assert zero_where_wrong([elementwise(torch.zeros_like(right), A, A, A**2 / 2, G)]) is None  # everywhere: the zero gradient


@pytest.mark.parametrize(
    ("got", "cause", "words"),
    [
        (G, "missing_term", "dx is dout as it came in: the slope of the function is missing."),
        (A, "wrong_operand", "dx is x itself, whatever dout is."),
        (torch.exp(A), "wrong_operand", "dx is out itself, whatever dout is."),
    ],
)
def test_an_argument_handed_through(got: Tensor, cause: str, words: str) -> None:
    found = an_argument([elementwise(got, torch.exp(A), A, torch.exp(A), G)])
    assert found is not None
    assert (found.cause, found.says) == (cause, words)
    assert an_argument([elementwise(got * 1.001, torch.exp(A), A, torch.exp(A), G)]) is None


def test_one_of_the_two_terms_of_the_product_rule() -> None:
    gate = torch.sigmoid(A)
    slope = gate + A * gate * (1 - gate)
    found = product_rule([elementwise(G * gate, slope, A, A * gate, G)])
    assert found is not None
    assert found.cause == "missing_term"
    assert "dx is dout · out/x: of the product rule's two terms only one is there" in found.says
    assert product_rule([elementwise(G * A * gate * (1 - gate), slope, A, A * gate, G)]) is None
    assert product_rule([elementwise(G * gate * 1.001, slope, A, A * gate, G)]) is None


def value(got: Tensor, expected: Tensor, primals: Mapping[str, Any] | None = None) -> Evidence:
    return Evidence("out", got, expected, primals or {}, {}, expected, None, lambda _: {}, {}, forward_right=False)


def test_a_loop_over_all_entries_that_stops_one_short_is_named() -> None:
    def short(right: Tensor, count: int = 1) -> Evidence:
        got = right.clone()
        got.view(-1)[-count:] = 0
        return value(got, right)

    found = entries_missing([short(tensor(3, 4)), short(tensor(2, 2)), short(tensor())])
    assert found is not None
    assert found.says == "out is right but for its last entry, where it is 0: does a loop leave it out?"
    assert entries_missing([short(tensor())]) is None
    assert entries_missing([short(tensor(3, 4)), short(tensor(3, 4), 2)]) is None
    other = tensor(3, 4)
    other[1, 2] = 0
    assert entries_missing([value(other, tensor(3, 4))]) is None
    other = tensor(3, 4)
    other[2, 3] = 1
    assert entries_missing([value(other, tensor(3, 4))]) is None


def test_of_a_wrong_value_it_is_told_where_it_is_wrong_or_that_it_is_nearly_right() -> None:
    right = tensor(4, 5)
    wrong = right.clone()
    wrong[1, 2] *= 1.5
    general = "The forward does not compute what the definition says."
    assert where_wrong([value(wrong, right)]).says == f"{general} It is wrong in 1 of 20 entries, at [1, 2]."
    assert where_wrong([value(torch.sin(right), right)]).says == general
    nearly = where_wrong([value(right + 1e-7 * torch.sin(right), right)]).says
    assert nearly.startswith(f"{general} It is off by at most ")
    assert "look for a small constant" in nearly
    assert where_wrong([value(right.flatten() * 1.5, right.flatten())]).says == general


def test_a_factor_without_a_name_gives_way_to_a_mistake_that_has_one() -> None:
    """The cause stays: every probe is off by one factor."""
    rights = [tensor(3, 4), tensor(2, 6, seed=1)]
    pieces = [value(right * right.norm(), right, primals={"x": right}) for right in rights]
    edit = Fingerprint(
        "the norm is not divided by", Cause.MISSING_TERM, lambda primals, *_: {"out": primals["x"] * primals["x"].norm()}
    )
    found = explain(pieces)
    assert found is not None
    assert "off by one factor on each probe" in found.says
    told = explain(pieces, (), lambda forward: [edit] if forward else [])
    assert told is not None
    assert told.cause == found.cause == "constant_factor"
    assert told.says.endswith("one change: the norm is not divided by.")
    twice = explain([value(2 * right, right, primals={"x": right}) for right in rights], (), lambda forward: [edit])
    assert twice is not None
    assert "a factor 2 too many" in twice.says
