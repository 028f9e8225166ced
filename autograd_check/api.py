"""The checks for people without a course: `check_vjp`, `gradcheck`, `gradgradcheck`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autograd_check.diagnose.explain import explain
from autograd_check.errors import GradientError
from autograd_check.report.result import Report, Reports
from autograd_check.run.callable import Callee, Narrows, TorchCallable, callee, in_float64, input_names, is_single, wrap
from autograd_check.run.in_process import Trusted
from autograd_check.run.operations import uses_single
from autograd_check.run.restore import same_start
from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.check import check_pair
from autograd_check.verify.contract import check_outputs_apart, no_tensor
from autograd_check.verify.finding import Finding
from autograd_check.verify.memo import Memo
from autograd_check.verify.precision import check_own_precision
from autograd_check.verify.tensors import is_differentiable, leaves, map_leaves
from autograd_check.verify.trial import Case, PairNames, UsesSingle, draw_cotangent
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
    return check_pair(candidate, names, [case], seed=seed, explain=explain, uses_single=single, memo=memo)


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
