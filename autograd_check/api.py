"""The checks for people without a course: `check_vjp`, `gradcheck`, `gradgradcheck`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Explained
from autograd_check.diagnose.explain import explain
from autograd_check.errors import GradientError
from autograd_check.report.result import Report, Reports
from autograd_check.run.callable import (
    Callee,
    Narrows,
    TorchCallable,
    callee,
    in_double,
    in_float64,
    input_names,
    wrap,
)
from autograd_check.run.in_process import Trusted
from autograd_check.run.operations import uses_single
from autograd_check.run.restore import same_start
from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.check import check_pair
from autograd_check.verify.contract import type_text
from autograd_check.verify.finding import Finding, Kind, failed, passed
from autograd_check.verify.memo import Memo
from autograd_check.verify.precision import Rounding
from autograd_check.verify.reference import nudged
from autograd_check.verify.tensors import (
    compare,
    is_differentiable,
    is_single,
    largest,
    leaves,
    map_leaves,
    map_tensors,
    mismatch_text,
    named_leaves,
    natural_size,
)
from autograd_check.verify.tolerances import DRAWS, OWN_NUDGE, OWN_PRECISION, ROUNDINGS, of_its_size
from autograd_check.verify.trial import Case, PairNames, UsesSingle, draw_cotangent, own_gradients, parts, unpack
from autograd_check.verify.values import FLOAT64, narrowed

IGNORED = {
    "eps": "steps are chosen from the function",
    "atol": "the tolerance is derived from the measured error",
    "rtol": "the tolerance is derived from the measured error",
    "nondet_tol": "repeated results must be equal bit for bit",
    "check_batched_grad": "gradients are not batched",
    "check_batched_forward_grad": "forward mode is not checked",
    "check_forward_ad": "forward mode is not checked",
    "check_backward_ad": "the backward is always checked",
    "check_sparse_nnz": "sparse inputs are not checked",
    "masked": "sparse inputs are not checked",
    "fast_mode": "there is one mode",
    "check_undefined_grad": "outputs are always differentiated one at a time as well",
    "check_grad_dtypes": "dtypes are always checked",
    "gen_non_contig_grad_outputs": "cotangents are contiguous",
}
"""Keywords of torch.autograd.gradcheck that have nothing to set here, each with the reason."""


def check_vjp(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    primals: Sequence[Any],
    *,
    hyper: Mapping[str, Any] | None = None,
    oracle: Callable[..., Any] | None = None,
    wrt: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Report:
    """Check a hand-written backward pass at one point.

    Args:
        forward: `forward(*primals, **hyper) -> (out, cache)`.
        backward: `backward(dout, cache)` gives one gradient for each primal in `wrt`, as a tensor or a tuple in order.
        primals: tensors (any shape, float64 or complex128 for a full check) or nests of them; integers pass through.
        hyper: keyword arguments of the forward.
        oracle: the same function from torch's own parts, `oracle(*primals, **hyper) -> out`; without it the witnesses are
            finite differences of the forward, and its own tape where it has one.
        wrt: names of the primals that get a gradient; by default all that are differentiable.
        names: of the primals; by default those of the forward's parameters.
        seed: of the cotangent and the directions.

    Raises `ValueError` where names and primals do not match.

    """
    called = tuple(names) if names is not None else input_names(forward, primals)
    if len(called) != len(primals):
        raise ValueError(f"names has {len(called)} names for {len(primals)} primals: {', '.join(called)}.")
    point = Point(dict(zip(called, primals, strict=True)), dict(hyper or {}))
    checked = tuple(wrt) if wrt is not None else tuple(n for n in called if any(map(is_differentiable, leaves(point.primals[n]))))
    unknown = [name for name in checked if name not in called]
    if unknown or not checked:
        raise ValueError(f"wrt must name differentiable primals out of {', '.join(called)}; got {', '.join(unknown) or 'none'}.")
    title = getattr(forward, "__name__", "forward").removesuffix("_forward")
    with same_start(forward, backward) as rewind:
        candidate = Trusted(forward, backward, rewind=rewind)
        single = partial(uses_single, candidate, "forward", "backward")
        pair = PairNames("forward", "backward", checked, oracle)
        return Report(title, tuple(_check(candidate, pair, point, seed, single)))


def gradcheck(
    fn: Callable[..., Any],
    inputs: Any,
    *ignored_positional: Any,
    raise_exception: bool = True,
    seed: int = 0,
    **ignored: Any,
) -> Report:
    """Check the gradients that autograd gives for `fn`, as `torch.autograd.gradcheck` does: same call, truthy when passed.

    Args:
        fn: any differentiable callable of torch: a function, `Function.apply`, an `nn.Module`.
        inputs: a tensor or a sequence; tensors with `requires_grad` are checked, everything else passes through.
        raise_exception: raise `GradientError` unless all is well; otherwise return the falsy report.
        seed: of the cotangent and the directions.
        ignored_positional: eps, atol, rtol where a caller gives them by position.
        ignored: torch's other keywords; a note in the report says why each has nothing to set here.

    Inputs of less than float64 are checked twice: the mathematics in float64, then the result in their own dtype against it.

    Raises:
        GradientError: a gradient is wrong or could not be judged; the text names input, entry, both values and the cause.
        TypeError: a keyword that torch's gradcheck does not have either.
        ValueError: no input requires grad.

    """
    unknown = [name for name in ignored if name not in IGNORED]
    if unknown:
        raise TypeError(f"gradcheck got an unexpected keyword {unknown[0]!r}; it takes those of torch.autograd.gradcheck.")
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    notes = tuple(f"{name} is ignored: {IGNORED[name]}" for name in ignored)
    report = Report(f"gradcheck of {_name(fn)}", tuple(_gradcheck(fn, given, seed, Memo())), notes)
    if raise_exception and not report:
        raise GradientError(report.to_text())
    return report


def gradcheck_all(
    checks: Mapping[str, tuple[Callable[..., Any], Any]], *, raise_exception: bool = True, seed: int = 0
) -> Reports:
    """Check many functions as `gradcheck` does, all of them whatever the first ones do; what they share is computed once.

    Functions that are given the same tensors share their float64 copies and the directions of their differences, and those
    with outputs of the same shape and dtype their cotangents.

    Args:
        checks: `(fn, inputs)` by the name under which the report is to be found.
        raise_exception: raise `GradientError` unless all is well; otherwise return the falsy reports.
        seed: of the cotangents and the directions; a function's report is the one that `gradcheck` gives with this seed.

    Raises:
        GradientError: after the last check, with the text of every report that did not pass.
        ValueError: a function has no input that requires grad; the text names it.

    """
    memo = Memo()
    found: list[Report] = []
    for name, (fn, inputs) in checks.items():
        given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
        try:
            found.append(Report(name, tuple(_gradcheck(fn, given, seed, memo))))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    reports = Reports(tuple(found))
    if raise_exception and not reports:
        raise GradientError(reports.to_text())
    return reports


def gradgradcheck(
    fn: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *ignored_positional: Any,
    raise_exception: bool = True,
    seed: int = 0,
    **ignored: Any,
) -> Report:
    """Check second derivatives: the gradient of `fn` as a function of its inputs and of its cotangent.

    Arguments and errors as for `gradcheck`; `grad_outputs` are the cotangents at which it is taken, by default random.
    """
    given = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    wrapped = wrap(callee(fn, given))
    out = fn(*given)
    several = isinstance(out, (tuple, list))
    if grad_outputs is None:
        grad_outputs = draw_cotangent(out, torch.Generator().manual_seed(seed))
    cotangents = list(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else [grad_outputs]
    count = len(given)

    def first_gradient(*arguments: Any) -> Any:
        roots = [_root(value) if name in wrapped.wrt else value for name, value in zip(wrapped.names, arguments, strict=False)]
        douts = arguments[count:]
        with torch.enable_grad():
            value = fn(*roots)
            outputs = [o for o in (value if several else (value,)) if isinstance(o, Tensor) and o.requires_grad]
            sources = [
                leaf for name, root in zip(wrapped.names, roots, strict=True) if name in wrapped.wrt for leaf in leaves(root)
            ]
            grads = torch.autograd.grad(outputs, sources, list(douts), create_graph=True, allow_unused=True)
        return tuple(torch.zeros_like(s) if g is None else g for s, g in zip(sources, grads, strict=True))

    first_gradient.__name__ = f"the gradient of {_name(fn)}"
    roots = [*given, *(map_leaves(lambda d: d.detach().requires_grad_(), d) for d in cotangents)]
    return gradcheck(first_gradient, roots, *ignored_positional, raise_exception=raise_exception, seed=seed, **ignored)


def _gradcheck(fn: Callable[..., Any], inputs: Sequence[Any], seed: int, memo: Memo) -> list[Finding]:
    given = callee(fn, inputs)
    low = any(is_single(leaf) for value in given.inputs for leaf in leaves(value))
    called = callee(*in_float64(fn, inputs)) if low else given
    wrapped = wrap(called)
    point = _point(called, memo)
    with same_start(fn) as rewind:
        candidate = TorchCallable(wrapped, called.body, rewind)
        names = PairNames("forward", "backward", wrapped.wrt, None)
        narrows = Narrows(wrapped, point, seed)
        findings = _check(candidate, names, point, seed, narrows, memo)
        if candidate.returned is not None and not any(isinstance(leaf, Tensor) for leaf in leaves(candidate.returned[0])):
            return [no_tensor(candidate.returned[0])]
        if candidate.outputs > 1 and candidate.returned is not None:
            findings += check_outputs_apart(candidate, names, point, candidate.returned[0], seed)
        narrow = (low or candidate.doubted) and bool(narrows.to)
        if narrow and not any(finding.check == FLOAT64 for finding in findings):
            findings.append(narrowed("out"))
        if low and not narrow:
            own = TorchCallable(wrap(given), given.body, rewind)
            findings += check_own_precision(own, candidate, names, (_point(given, memo), point), seed)
    return findings


def _check(
    candidate: PairCandidate, names: PairNames, point: Point, seed: int, single: UsesSingle, memo: Memo | None = None
) -> list[Finding]:
    case = Case("the given point", point)
    return check_pair(candidate, names, [case], seed=seed, explain=Explained(explain), uses_single=single, memo=memo)


def _point(called: Callee, memo: Memo) -> Point:
    return Point({name: _detached(value, memo) for name, value in zip(called.names, called.inputs, strict=True)})


def _root(value: Any) -> Any:
    """The same nest with leaves that the tape begins at, also where gradients are switched off around the call."""
    return map_leaves(
        lambda leaf: leaf if not is_differentiable(leaf) or leaf.requires_grad else leaf.detach().requires_grad_(), value
    )


def _detached(value: Any, memo: Memo) -> Any:
    return map_leaves(lambda leaf: memo.once("detached", [leaf], leaf.detach) if isinstance(leaf, Tensor) else leaf, value)


def _name(fn: Callable[..., Any]) -> str:
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{getattr(fn, '__name__', 'apply')}"
    return getattr(fn, "__name__", type(fn).__name__)


# --- What only a callable under autograd can get wrong ---------------------------------------------------------------


def no_tensor(value: Any) -> Finding:
    """The finding about a callable that returns nothing with a derivative."""
    text = f"the function returned {type_text(value)}, expected a tensor, or several in a tuple: is a return missing?"
    return failed("returned", "out", "the given point", text, Kind.VALUE, Cause.RETURNS_NONE)


def check_outputs_apart(candidate: PairCandidate, names: PairNames, point: Point, out: Any, seed: int) -> Iterator[Finding]:
    """With several outputs, the backward copes with a cotangent for one of them only, and what these give adds up to the whole.

    The others get None, as autograd gives it for outputs that nothing uses, so each of these calls takes branches of its own.
    """
    check, kind = "undefined gradients", Kind.GRADIENT
    outs = [(path, leaf) for path, leaf in named_leaves(out, "out") if is_differentiable(leaf)]
    drawn = [draw_cotangent(leaf, Generator().manual_seed(seed + place)) for place, (_, leaf) in enumerate(outs)]

    def only(wanted: set[int]) -> Any:
        places = iter(range(len(outs)))
        return map_leaves(
            lambda leaf: drawn[place] if is_differentiable(leaf) and (place := next(places)) in wanted else None, out
        )

    every = set(range(len(outs)))
    outcome = candidate.vjp(names.forward, names.backward, point, [only({k}) for k in every] + [only(every)])
    answers = [unpack(answer, names.wrt) or {} for answer in (outcome.value[1] if outcome.value else ())]
    if outcome.failure is not None and len(answers) < len(outs):
        path, failure = outs[len(answers)][0], outcome.failure
        text = f"with a cotangent for {path} alone the backward raised {failure.exception}: {failure.says}"
        says = "A backward gets None for an output that nothing uses; treat it as zero."
        yield failed(check, path, "", text, kind, Cause.CRASHED, says=says)
        return
    rounding = Rounding(own_gradients(candidate, names, only(every)), point)
    for name in names.wrt if len(answers) > len(outs) else ():
        rows = zip(*(parts(answer[f"d{name}"].value, f"d{name}", names) for answer in answers), strict=True)
        for place, row in enumerate(rows):
            path, given = row[0][0], [leaf for _, leaf in row]
            if not all(map(is_differentiable, given)):
                continue
            size = sum(map(largest, given))
            tolerance = of_its_size(size, given[0].numel()) + ROUNDINGS * rounding.largest(name, place)
            mismatch = compare(torch.stack(given[:-1]).sum(0), given[-1], tolerance)
            if mismatch is not None:
                text = (
                    f"cotangents for one output at a time give another {path} than all of them together: "
                    f"{mismatch_text(mismatch)}"
                )
                says = "A backward gets None for an output that nothing uses; what it does then must be what a zero would give."
                yield failed(check, path, "", text, kind, Cause.NONLINEAR_IN_UPSTREAM, says=says, mismatch=mismatch)
                return
    yield passed(check, "out", "", "one output at a time", kind)


def check_own_precision(
    low: PairCandidate, exact: PairCandidate, names: PairNames, points: tuple[Point, Point], seed: int
) -> Iterator[Finding]:
    """The gradients in the inputs' own low precision against those in float64, as far as the last places of the inputs settle them.

    `points` are the inputs as they are, for `low`, and in float64, for `exact`.
    """
    given, wide = points
    generator = Generator().manual_seed(seed)
    outs = [who.vjp(names.forward, names.backward, at, []) for who, at in ((exact, wide), (low, given))]
    failure = next((out.failure for out in outs if out.failure is not None), None)
    if failure is not None:
        text = f"in its own dtype the function raised {failure.exception}: {failure.says}"
        yield failed("own precision", "out", "", text, Kind.VALUE, Cause.CRASHED)
        return
    dout = draw_cotangent(outs[0].value[0], Generator().manual_seed(seed))
    own = iter(leaves(outs[1].value[0]))
    asked = [(low, given, map_leaves(lambda leaf: leaf.to(next(own).dtype), dout)), (exact, wide, dout)]
    asked += [(exact, _nudged(given, generator), dout) for _ in range(DRAWS - 1)]
    outcomes = [who.vjp(names.forward, names.backward, point, [d], wrt=names.wrt) for who, point, d in asked]
    for position, name in enumerate(names.wrt):
        answers = [named_leaves(outcome.value[1][0][position], f"d{name}") for outcome in outcomes if outcome.ok]
        floor = natural_size(outs[0].value[0], dout, wide.primals[name])
        for (path, got), (_, want), *others in zip(*answers, strict=True):
            yield _own_precision(path, got, want, [other for _, other in others], floor)


def _nudged(point: Point, generator: Generator) -> Point:
    def moved(x: Tensor) -> Any:
        near = x if x.is_complex() or x.dtype is torch.float64 else nudged(x.detach(), generator, OWN_NUDGE)
        return in_double(near.requires_grad_(x.requires_grad) if near is not x else x)

    return Point({name: map_tensors(moved, value) for name, value in point.primals.items()}, point.hyper)


def _own_precision(path: str, got: Any, want: Any, others: Sequence[Any], floor: float) -> Finding:
    check, kind = "own precision", Kind.GRADIENT
    if not is_differentiable(got):
        return passed(check, path, "", "agrees with float64", kind)
    spread = max((largest(other - want) for other in others), default=0.0)
    rounding = torch.finfo(got.dtype).eps * max(largest(want), floor)
    mismatch = compare(got.detach().to(want.dtype), want, OWN_PRECISION * (spread + rounding))
    if mismatch is None:
        return passed(check, path, "", "agrees with float64", kind)
    text = f"in {str(got.dtype).removeprefix('torch.')}: {mismatch_text(mismatch)}"
    says = "The gradient is right in float64 but loses its digits in its own dtype."
    return failed(check, path, "", text, Kind.CONVENTION, Cause.UNSTABLE, says=says, mismatch=mismatch)
