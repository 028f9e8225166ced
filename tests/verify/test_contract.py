"""Every structural finding and every convention, each from code that breaks just that, with the words that a student reads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.api import check_vjp
from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Explained
from autograd_check.diagnose.explain import explain
from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Point
from autograd_check.verify.check import check_pair
from autograd_check.verify.finding import Finding, Kind, Status
from autograd_check.verify.trial import Case, PairNames

NAMES = PairNames("scale_forward", "scale_backward", ("x", "w"), lambda x, w: x * w, {})


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


CASES = [
    Case("three by two", Point({"x": tensor(3, 2), "w": tensor(2, seed=1)})),
    Case("batch of one", Point({"x": tensor(1, 4, seed=2), "w": tensor(4, seed=3)})),
]


def forward(x: Tensor, w: Tensor) -> tuple[Any, Any]:
    return x * w, (x, w)


def backward(dout: Tensor, cache: Any) -> Any:
    x, w = cache
    return dout * w, (dout * x).sum(0)


def check(
    forward: Callable[..., Any] = forward, backward: Callable[..., Any] = backward, deadline: float = 5.0, single: bool = False
) -> list[Finding]:
    functions = {"scale_forward": forward, "scale_backward": backward}
    with InProcess.of(functions, deadline=deadline) as candidate:
        return check_pair(candidate, NAMES, CASES, explain=Explained(explain), uses_single=lambda trial: single)


def failed(findings: list[Finding]) -> dict[tuple[str, str], Finding]:
    return {(f.check, f.subject): f for f in findings if f.status is Status.FAILED}


def cause(finding: Finding) -> str:
    assert finding.diagnosis is not None
    return finding.diagnosis.cause


def test_right_code_passes_and_says_with_which_witnesses() -> None:
    findings = check()
    assert {finding.status for finding in findings} == {Status.PASSED}
    by_check = {(f.check, f.subject): f for f in findings}
    assert by_check["value", "out"].probes == 2
    for subject in ("dx", "dw"):
        assert by_check["autograd", subject].kind is Kind.GRADIENT
        assert by_check["finite differences", subject].status is Status.PASSED


@pytest.mark.parametrize(
    ("bad", "key", "why", "words"),
    [
        (lambda d, c: None, ("returned", "dx"), "returns_none", "scale_backward returned None, expected dx, dw"),
        (lambda d, c: backward(d, c)[0], ("returned", "dw"), "wrong_arity", "expected 2: dx, dw"),
        (lambda d, c: (*backward(d, c), d), ("returned", "dx"), "wrong_arity", "returned 3 values, expected 2"),
        (lambda d, c: (None, backward(d, c)[1]), ("returned", "dx"), "returns_none", "returned None for dx"),
        (lambda d, c: ("dx", backward(d, c)[1]), ("returned", "dx"), "wrong_type", "dx is str, expected a tensor"),
        (lambda d, c: (backward(d, c)[0], backward(d, c)[1][None]), ("shape", "dw"), "wrong_shape", "(1, 2), expected (2,)"),
        (lambda d, c: (backward(d, c)[0] / 0, backward(d, c)[1]), ("finite", "dx"), "not_finite", "6 of 6 entries"),
    ],
)
def test_the_form_of_the_answer(bad: Callable[..., Any], key: tuple[str, str], why: str, words: str) -> None:
    found = failed(check(backward=bad))
    assert key in found
    assert cause(found[key]) == why
    assert words in found[key].message


def test_gradients_may_come_as_a_list_and_with_none_for_what_has_no_gradient() -> None:
    assert failed(check(backward=lambda d, c: [*backward(d, c), None])) == {}


def test_a_shape_that_differs_by_a_one_says_that_the_values_are_right() -> None:
    finding = failed(check(backward=lambda d, c: (backward(d, c)[0], backward(d, c)[1][None])))["shape", "dw"]
    assert finding.diagnosis is not None
    assert "The values of dw are right" in finding.diagnosis.says


def test_an_unwritten_forward_is_todo_for_everything() -> None:
    def stub(x: Tensor, w: Tensor) -> Any:
        raise NotImplementedError("scale_forward: x w")

    assert {(f.subject, f.status) for f in check(forward=stub)} == {
        ("out", Status.TODO),
        ("dx", Status.TODO),
        ("dw", Status.TODO),
    }


def test_an_unwritten_backward_leaves_the_forward_judged() -> None:
    def stub(dout: Tensor, cache: Any) -> Any:
        raise NotImplementedError("scale_backward: dx, dw")

    findings = {(f.check, f.subject): f.status for f in check(backward=stub)}
    assert findings["value", "out"] is Status.PASSED
    assert findings["runs", "dx"] is Status.TODO


def test_a_missing_function_is_named() -> None:
    with InProcess.of({"something_else": forward}) as candidate:
        findings = check_pair(candidate, NAMES, CASES)
    assert {cause(f) for f in findings} == {"missing"}
    assert findings[0].message == "scale_forward is not defined in this file"


def crashing(x: Tensor, w: Tensor) -> Any:
    return x @ w.T @ x @ x, None


def leaving(x: Tensor, w: Tensor) -> Any:
    sys.exit(3)


def endless(x: Tensor, w: Tensor) -> Any:
    while True:
        pass


@pytest.mark.parametrize(
    ("bad", "why", "words"),
    [
        (crashing, "crashed", "scale_forward raised RuntimeError"),
        (leaving, "exited", "scale_forward ended the program"),
        (endless, "timed_out", "scale_forward did not return in time"),
        (lambda x, w: x * w, "wrong_arity", "must return (out, cache)"),
    ],
)
def test_a_forward_that_gives_no_value(bad: Callable[..., Any], why: str, words: str) -> None:
    found = failed(check(forward=bad, deadline=0.2))
    assert cause(found["runs", "out"]) == why
    assert words in found["runs", "out"].message


def test_a_crash_on_a_batch_of_one_is_reported_there_and_only_there() -> None:
    def squeezing(x: Tensor, w: Tensor) -> Any:
        rows = x.squeeze()
        return torch.stack([row * w for row in rows]).reshape(x.shape), (x, w)

    finding = failed(check(forward=squeezing))["runs", "out"]
    assert finding.probe == "batch of one"
    assert cause(finding) == "crashed"


def mutating_dout(dout: Tensor, cache: Any) -> Any:
    x, w = cache
    dw = (dout * x).sum(0)
    dout *= w
    return dout, dw


def mutating_x(x: Tensor, w: Tensor) -> Any:
    before = x.clone()
    x *= w
    return x.clone(), (before, w)


def test_a_change_in_place_is_a_convention_and_the_gradient_stays_right() -> None:
    findings = check(backward=mutating_dout)
    found = failed(findings)
    assert set(found) == {("unmodified", "scale_backward")}
    assert cause(found["unmodified", "scale_backward"]) == "mutates_input"
    assert "dout was changed in place" in found["unmodified", "scale_backward"].message
    assert all(f.status is Status.PASSED for f in findings if f.kind is Kind.GRADIENT)
    assert set(failed(check(forward=mutating_x))) == {("unmodified", "scale_forward")}


def test_a_primal_that_the_backward_changes_through_the_cache_is_the_backwards_doing() -> None:
    def spoiling(dout: Tensor, cache: Any) -> Any:
        x, w = cache
        dx, dw = dout * w, (dout * x).sum(0)
        x.mul_(2)
        return dx, dw

    found = failed(check(backward=spoiling))
    assert found["unmodified", "scale_backward"].message.startswith("x was changed in place")
    assert ("unmodified", "scale_forward") not in found


def test_returning_dout_is_allowed_returning_a_primal_is_not() -> None:
    names = PairNames("f", "b", ("x",), lambda x: x * 1.0, {})
    case = [Case("ones", Point({"x": tensor(3)}))]
    with InProcess.of({"f": lambda x: (x * 1.0, None), "b": lambda dout, cache: dout}) as candidate:
        assert failed(check_pair(candidate, names, case)) == {}
    same = PairNames("f", "b", ("x",), lambda x: (x * x / 2).sum(), {})
    with InProcess.of({"f": lambda x: ((x * x / 2).sum(), x), "b": lambda d, x: x.mul_(d)}) as candidate:
        assert ("aliasing", "b") in failed(check_pair(candidate, same, case))


def test_float64_for_float32_is_a_convention() -> None:
    def double(dout: Tensor, cache: Any) -> Any:
        return tuple(g.double() for g in backward(dout, cache))

    found = failed(check(backward=double))
    assert set(found) == {("keeps float32", "scale_backward")}
    assert "float64 for float32 inputs" in found["keeps float32", "scale_backward"].message


def test_float32_inside_float64_is_a_dtype_finding_and_no_wrong_gradient() -> None:
    def single(dout: Tensor, cache: Any) -> Any:
        return tuple(g.double() for g in backward(dout.float(), tuple(c.float() for c in cache)))

    findings = check(backward=single, single=True)
    assert {cause(f) for f in failed(findings).values()} == {"wrong_dtype"}
    assert all(f.status is Status.PASSED for f in findings if f.kind is Kind.GRADIENT and f.check == "autograd")


def test_a_small_systematic_error_is_not_taken_for_float32() -> None:
    found = failed(check(backward=lambda d, c: tuple(g * (1 + 1e-6) for g in backward(d, c))))
    assert {("autograd", "dx"), ("autograd", "dw")} <= set(found)


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-8])
def test_one_entry_off_by_a_little_fails(size: float) -> None:
    def near(dout: Tensor, cache: Any) -> Any:
        dx, dw = backward(dout, cache)
        dx = dx.clone()
        dx[0, 1] *= 1 + size
        return dx, dw

    found = failed(check(backward=near))
    mismatch = found["autograd", "dx"].mismatch
    assert mismatch is not None
    assert (mismatch.wrong, mismatch.index) == (1, (0, 1))
    assert mismatch.relative_error == pytest.approx(size, rel=1e-3)
    assert ("autograd", "dw") not in found


def test_a_cache_used_up_by_the_first_backward_is_a_convention() -> None:
    def popping(dout: Tensor, cache: Any) -> Any:
        w, x = cache.pop(), cache.pop()
        return backward(dout, (x, w))

    found = failed(check(forward=lambda x, w: (x * w, [x, w]), backward=popping))
    assert set(found) == {("cache reusable", "scale_backward")}
    assert "a second scale_backward with the same cache raised IndexError" in found["cache reusable", "scale_backward"].message


def test_randomness_is_a_convention_of_its_own() -> None:
    def noisy(dout: Tensor, cache: Any) -> Any:
        dx, dw = backward(dout, cache)
        return dx * (1 + 1e-15 * torch.randn(dx.shape, dtype=dx.dtype)), dw

    found = failed(check(backward=noisy))
    assert cause(found["repeatable", "scale_backward"]) == "nondeterministic"


def test_what_is_not_linear_in_dout_is_said_to_be_so() -> None:
    found = failed(check(backward=lambda d, c: backward(d.abs(), c)))
    assert cause(found["linear in dout", "dx"]) == "nonlinear_in_upstream"
    assert cause(found["autograd", "dx"]) == "nonlinear_in_upstream"


def test_a_wrong_forward_and_a_backward_that_fits_it() -> None:
    def wrong_forward(x: Tensor, w: Tensor) -> Any:
        return 3 * x * w + x, (x, w)

    def fitting(dout: Tensor, cache: Any) -> Any:
        x, w = cache
        return dout * (3 * w + 1), (dout * 3 * x).sum(0)

    found = failed(check(forward=wrong_forward, backward=fitting))
    assert cause(found["value", "out"]) == "forward_wrong"
    assert cause(found["autograd", "dx"]) == "consistent_with_wrong_forward"


def test_a_wrong_value_does_not_make_the_gradient_wrong() -> None:
    findings = check(forward=lambda x, w: (x * w + 1, (x, w)))
    assert set(failed(findings)) == {("value", "out")}
    skipped = [f for f in findings if f.status is Status.SKIPPED]
    assert {f.message for f in skipped} == {"not checked: the forward is not the one of the definition"}


def test_whole_numbers_for_a_gradient_are_named() -> None:
    found = failed(check(backward=lambda dout, cache: ((dout * cache[1]).long(), (dout * cache[0]).sum(0))))
    assert cause(found["autograd", "dx"]) == "wrong_dtype"
    assert found["autograd", "dx"].diagnosis.says == (  # type: ignore[union-attr]  # there is one, by the line above
        "dx is int64, which has no fractions; a gradient has the dtype of its primal, float64."
    )


@pytest.mark.parametrize("single", [True, False])
def test_a_small_error_is_put_down_to_float32_only_where_float32_was_used(single: bool) -> None:
    def with_a_small_term(dout: Tensor, cache: Any) -> Any:
        x, w = cache
        return dout * (w + 1e-6), (dout * x).sum(0)

    functions = {"scale_forward": forward, "scale_backward": with_a_small_term}
    with InProcess.of(functions) as candidate:
        findings = check_pair(candidate, NAMES, CASES, explain=Explained(explain), uses_single=lambda trial: single)
    found = failed(findings)
    assert (("keeps float64", "scale_backward") in found) is single
    assert (("autograd", "dx") in found) is not single
    if not single:
        assert found["autograd", "dx"].mismatch is not None


def test_a_forward_is_excused_by_float32_only_where_float32_was_used() -> None:
    functions = {"scale_forward": lambda x, w: (x * w + 1e-6 * x.abs(), (x, w)), "scale_backward": backward}
    with InProcess.of(functions) as candidate:
        found = failed(check_pair(candidate, NAMES, CASES, explain=Explained(explain), uses_single=lambda trial: False))
    assert found["value", "out"].message.startswith("out is wrong: ")
    assert not any(check == "keeps float64" for check, _ in found)


@pytest.mark.parametrize(("small", "keeps_it"), [(1e-3, True), (1e-11, False)])
def test_an_epsilon_of_5e_12_is_no_mistake_but_a_small_entry_that_is_lost_is_one(small: float, keeps_it: bool) -> None:
    def nearly(x: Tensor, w: Tensor) -> tuple[Any, Any]:
        return x * w + 5e-12 * x, (x, w)

    def nearly_backward(dout: Tensor, cache: Any) -> Any:
        x, w = cache
        slope = w + 5e-12 if keeps_it else torch.where(w.abs() < 1e-9, 0.0, w)
        return dout * slope, (dout * x).sum(0)

    case = Case("one small weight", Point({"x": tensor(3, 4), "w": torch.tensor([2.0, 1.5, -1.0, small], dtype=torch.float64)}))
    functions = {"scale_forward": nearly if keeps_it else forward, "scale_backward": nearly_backward}
    with InProcess.of(functions) as candidate:
        found = failed(check_pair(candidate, NAMES, [case], explain=Explained(explain)))
    assert (("autograd", "dx") not in found) is keeps_it
    assert not keeps_it or not found


def test_every_finding_about_a_gradient_that_is_right_to_float32_passes() -> None:
    def rough(dout: Tensor, cache: Any) -> Any:
        return (dout.float() * cache[1].float()).double(), (dout * cache[0]).sum(0)

    findings = check(backward=rough, single=True)
    about = [finding for finding in findings if finding.subject in ("dx", "dw")]
    assert {finding.status for finding in about} == {Status.PASSED}
    assert ("keeps float64", "scale_backward") in failed(findings)


def test_what_is_kept_outside_the_cache_is_a_wrong_gradient() -> None:
    kept: dict[str, Any] = {}

    def remembers(x: Tensor, w: Tensor) -> tuple[Any, Any]:
        kept["cache"] = (x, w)
        return x * w, None

    found = failed(check(forward=remembers, backward=lambda dout, cache: backward(dout, kept["cache"])))
    assert set(found) == {("own cache", "dx"), ("own cache", "dw")}
    assert cause(found["own cache", "dx"]) == "stale_state"
    assert found["own cache", "dx"].kind is Kind.GRADIENT
    assert "dx changes when scale_forward runs on other data before scale_backward" in found["own cache", "dx"].message


@pytest.mark.parametrize("cache", ["closure", "object"])
def test_any_cache_that_belongs_to_its_forward_is_its_own(cache: str) -> None:
    class Saved:
        def __init__(self, x: Tensor, w: Tensor) -> None:
            self.x, self.w = x, w

    def saves(x: Tensor, w: Tensor) -> tuple[Any, Any]:
        return x * w, (Saved(x, w) if cache == "object" else lambda dout: backward(dout, (x, w)))

    def uses(dout: Tensor, saved: Any) -> Any:
        return backward(dout, (saved.x, saved.w)) if cache == "object" else saved(dout)

    assert failed(check(forward=saves, backward=uses)) == {}


def test_a_cache_that_is_written_into_is_a_convention() -> None:
    """The same cotangent twice would hide it: a sign stays the sign that it is."""

    def writes(dout: Tensor, cache: Any) -> Any:
        x, w, sign = cache
        dx, dw = dout * w, (dout * x.abs() * sign.sign()).sum(0)
        sign.mul_(dout.abs())
        return dx, dw

    found = failed(check(forward=lambda x, w: (x * w, (x, w, x.sign())), backward=writes))
    assert set(found) == {("cache reusable", "scale_backward")}
    assert "the backward changes its cache" in found["cache reusable", "scale_backward"].message


def test_a_gradient_that_is_not_linear_in_dout_is_called_so() -> None:
    def squares(dout: Tensor, cache: Any) -> Any:
        return backward(dout.abs(), cache)

    found = failed(check(backward=squares))
    assert cause(found["autograd", "dx"]) == "nonlinear_in_upstream"


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.uint8, torch.complex128, torch.float16])
def test_a_gradient_of_any_dtype_is_judged(dtype: torch.dtype) -> None:
    found = failed(check(backward=lambda dout, cache: tuple((grad != 0).to(dtype) for grad in backward(dout, cache))))
    assert {subject for check, subject in found if check in ("autograd", "keeps float32")} >= {"dx", "dw"}
    assert {finding.status for finding in found.values()} == {Status.FAILED}


@pytest.mark.parametrize(
    "second",
    ["torch.zeros(2)", "3.0", "None", "torch.zeros(3, dtype=torch.bool)", "[torch.zeros(3)]"],
)
def test_a_backward_that_answers_in_another_form_for_another_cotangent(second: str) -> None:
    """Whatever comes back the second time, a finding says so and nothing crashes."""
    other = eval(second)
    calls = [0]

    def backward(dout: Tensor, cache: Any) -> Any:
        calls[0] += 1
        return dout**2 * cache if calls[0] % 5 != 2 else other

    names = PairNames("f", "b", ("x",), None, {})
    case = [Case("three entries", Point({"x": tensor(3)}))]
    with InProcess.of({"f": lambda x: (x * x / 2, x), "b": backward}) as candidate:
        findings = check_pair(candidate, names, case)
    assert any(f.status is Status.FAILED and f.subject == "dx" for f in findings)


def test_a_gradient_that_is_the_same_for_every_dout_does_not_use_it() -> None:
    x = torch.randn(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    report = check_vjp(lambda x: (x.sin(), x), lambda dout, x: 2 * x.cos(), [x], names=["x"])
    causes = {finding.diagnosis.cause: finding.diagnosis.says for finding in report.findings if finding.diagnosis}
    assert Cause.NONLINEAR_IN_UPSTREAM not in causes
    assert causes[Cause.IGNORES_UPSTREAM].startswith("dx is the same whatever dout is: the upstream gradient is not used.")
