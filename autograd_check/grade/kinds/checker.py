"""Checks of a `Checker`: a numerical gradient is as good as the wrong gradients that it catches and the right ones it accepts.

Its values are held against torch's derivative, with the error that an honest central difference has at the same step; its
order is measured by halving a coarse step. Then it is put to use: every claimed gradient passes or is caught.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course.spec import Checker, Scalar
from autograd_check.diagnose.evidence import Evidence
from autograd_check.grade.context import Context
from autograd_check.grade.kinds.base import check_task, failed_call, unusable
from autograd_check.grade.kinds.differenced import Differenced, difference
from autograd_check.verify.candidate import Outcome
from autograd_check.verify.contract import shape_text, type_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status, aggregate, failed, passed
from autograd_check.verify.tensors import compare, is_tensor, mismatch_text

SLACK = 30.0
"""How much larger than an honest central difference's an error may be: steps scaled by |x| are fine, one-sided ones are not."""

ONE_SIDED = (1.8, 2.2)
SECOND_ORDER = 3.2
"""Halving the step divides a second-order error by 4 (a little less while higher orders still count), a first-order one by 2."""


@check_task.register
def check(task: Checker, context: Context) -> list[Finding]:
    """Values, order, and claimed gradients, for every function; then what the call did to its arguments."""
    bad = unusable(context.candidate, task.functions)
    if bad:
        return bad
    findings: list[Finding] = []
    evidence: list[Evidence] = []
    trials: list[Differenced] = []
    for number, scalar in enumerate(task.scalars):
        x: Tensor = scalar.x(Generator().manual_seed(context.seed * 7919 + 31 * number))
        steps = (task.h, task.coarse, task.coarse / 2)
        outcomes = {h: context.candidate.call(task.name, (scalar.code, x), {"h": h}) for h in steps}
        problems = [found for h in steps if (found := _problem(task, scalar, x, outcomes[h])) is not None]
        if problems and problems[0].status is Status.TODO:
            return problems[:1]
        findings += problems[:1]
        if not problems:
            trials.append(difference(task, scalar, x, outcomes))
            findings += _judged(trials[-1], evidence)
        findings += _conventions(task, scalar, x, outcomes[task.h])
        findings += _leaves_alone(task, scalar, x, context)
    if trials:
        findings.append(_uses_step(task, trials))
    return aggregate(_explained(findings, context.explain(evidence)))


def _problem(task: Checker, scalar: Scalar, x: Tensor, outcome: Outcome) -> Finding | None:
    """No value, or one that is no tensor like x."""
    if not outcome.ok:
        return failed_call(task.name, outcome, scalar.name)
    value = outcome.value
    if is_tensor(value) and value.shape == x.shape and value.is_floating_point():
        return None
    given = type_text(value) if not is_tensor(value) or value.shape != x.shape else str(value.dtype)
    text = f"{task.name} returned {given} for x of shape {shape_text(x.shape)}; expected a tensor like x"
    return failed("shape", "out", scalar.name, text, Kind.VALUE, Cause.WRONG_SHAPE)


def _judged(trial: Differenced, evidence: list[Evidence]) -> list[Finding]:
    """Findings about one function; what is wrong and not yet explained is added to `evidence`."""
    order = _order(trial)
    value = _value(trial)
    if value.status is Status.FAILED and order.status is Status.FAILED:
        value = value.explained(order.diagnosis)
    elif value.status is Status.FAILED:
        h, central = trial.task.h, trial.central(trial.task.h)
        numeric, call = trial.numeric[h], {"x": trial.x}
        evidence.append(Evidence("out", numeric, central, call, {"h": h}, central, None, _no_vjp, {}, probe=trial.scalar.name))
    return [value, order, *_verdicts(trial)]


def _no_vjp(dout: Any) -> Mapping[str, Any]:
    return {}


def _value(trial: Differenced) -> Finding:
    h, name = trial.task.h, trial.scalar.name
    got = trial.numeric[h]
    tolerance = SLACK * trial.error(trial.central(h)) + trial.noise(h)
    mismatch = compare(got, trial.right, tolerance)
    if mismatch is None or trial.is_single(h):
        text = "as close to the derivative as central differences are"
        return passed("values", "out", name, text)
    text = f"the gradient of {name} is wrong: {mismatch_text(mismatch)}"
    return failed("values", "out", name, text, mismatch=mismatch)


def _order(trial: Differenced) -> Finding:
    """Whether the error falls like h²."""
    wide, narrow = trial.task.coarse, trial.task.coarse / 2
    name = trial.scalar.name
    errors = trial.error(trial.numeric[wide]), trial.error(trial.numeric[narrow])
    honest = trial.error(trial.central(wide)), trial.error(trial.central(narrow))
    ratio = errors[0] / errors[1] if errors[1] else float("inf")
    close = errors[1] <= 1.5 * honest[1] + 100 * trial.noise(narrow)
    if close or not 1.5 <= ratio < SECOND_ORDER:  # an error that does not fall at all is a wrong value, not a low order
        return passed("second order", "out", name, "halving h quarters the error")
    text = f"halving h divides the error on {name} by {ratio:.2g}; a central difference's falls to a quarter"
    says = "The error does not fall to a quarter where h is halved, as that of a central difference does."
    if ONE_SIDED[0] <= ratio <= ONE_SIDED[1]:
        says = "The error falls like h and not like h²: one-sided differences do that. Take f at x + h and at x − h, 2h apart."
    evidence = {"steps": [wide, narrow], "errors": list(errors), "central": list(honest)}
    diagnosis = Diagnosis(Cause.FIRST_ORDER, says, evidence)
    return failed("second order", "out", name, text, diagnosis=diagnosis)


def _uses_step(task: Checker, trials: Sequence[Differenced]) -> Finding:
    """Two steps must give two results, unless the rule is exact: on all functions together none is."""
    wide, narrow = task.coarse, task.coarse / 2
    if any(not torch.equal(trial.numeric[wide], trial.numeric[narrow]) for trial in trials):
        return passed("uses the step", "out", "", "steps by h")
    text = f"{task.name} gives the same for h = {wide:g} and h = {narrow:g}: take the step that is handed in"
    return failed("uses the step", "out", "", text, Kind.VALUE, Cause.IGNORES_STEP)


def _verdicts(trial: Differenced) -> list[Finding]:
    """What the numbers say about claimed gradients: the right one must pass, every wrong one must be caught."""
    name = trial.scalar.name
    accepts = passed("accepts", "out", name, "accepts the right gradient")
    if not trial.lets_through(trial.right):
        text = f"with these numbers the right gradient of {name} is refused"
        accepts = replace(accepts, status=Status.FAILED, message=text)
    missed = [wrong for wrong, make in trial.scalar.wrong.items() if trial.lets_through(make(trial.right.clone()))]
    text = f"catches {len(trial.scalar.wrong)} of {len(trial.scalar.wrong)} wrong gradients"
    catches = passed("catches", "out", name, text)
    if missed:
        text = f"with these numbers a wrong gradient of {name} passes: {', '.join(missed)}"
        catches = replace(catches, status=Status.FAILED, message=text)
    return [accepts, catches]


def _leaves_alone(task: Checker, scalar: Scalar, x: Tensor, context: Context) -> list[Finding]:
    """A failed finding where x is stepped in place and stepped back, at entries so close below 1 that x + h − h is another number."""
    close = 1 - torch.finfo(x.dtype).eps * (0.5 + torch.arange(x.numel(), dtype=x.dtype)).reshape(x.shape)
    outcome = context.candidate.call(task.name, (scalar.code, close), {"h": task.h})
    return (
        [finding for finding in _conventions(task, scalar, close, outcome) if finding.status is Status.FAILED]
        if outcome.ok
        else []
    )


def _conventions(task: Checker, scalar: Scalar, x: Tensor, outcome: Outcome) -> list[Finding]:
    """x is as it was, and the result has its dtype."""
    unmodified = passed("unmodified", task.name, scalar.name, "x is as it was", Kind.CONVENTION)
    if outcome.changed:
        text = f"{task.name} changed x in place: step on a copy, since x + h − h is not always x again"
        diagnosis = Diagnosis(Cause.MUTATES_INPUT, text)
        unmodified = replace(unmodified, status=Status.FAILED, message=text, diagnosis=diagnosis)
    dtype = passed("keeps the dtype", task.name, scalar.name, "has the dtype of x", Kind.CONVENTION)
    if is_tensor(outcome.value) and outcome.value.dtype is not x.dtype:
        text = f"{task.name} returned {outcome.value.dtype} for x in {x.dtype}: make the result with torch.zeros_like(x)"
        diagnosis = Diagnosis(Cause.WRONG_DTYPE, text)
        dtype = replace(dtype, status=Status.FAILED, message=text, diagnosis=diagnosis)
    return [unmodified, dtype]


def _explained(findings: list[Finding], cause: Diagnosis | None) -> list[Finding]:
    """Wrong values, and the verdicts that follow from them, with the cause of the first that has one."""
    known = [f.diagnosis for f in findings if f.check == "values" and f.diagnosis is not None]
    found = next(iter(known), cause)
    return [
        f.explained(found) if f.status is Status.FAILED and f.diagnosis is None and f.kind is Kind.VALUE else f for f in findings
    ]
