"""The checks for people without a course: `check_vjp`, `gradcheck`, `gradgradcheck`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Evidence, Explained
from autograd_check.diagnose.explain import explain
from autograd_check.kernel.call import Kernel
from autograd_check.kernel.definition import Definition, against
from autograd_check.kernel.own_differences import alone
from autograd_check.report.gradient_error import GradientError
from autograd_check.report.result import Report, Reports
from autograd_check.run.callable import Callee, TorchCallable, Wrapped, callee, input_names, pull_back
from autograd_check.run.in_process import Trusted
from autograd_check.run.operations import uses_single
from autograd_check.run.restore import Rewind, same_start
from autograd_check.tape.further import GIVEN, Asked, Further
from autograd_check.verify.candidate import PairCandidate, Point
from autograd_check.verify.check import After, Pair, check_pair
from autograd_check.verify.finding import Diagnosis, Finding, Kind, aggregate, failed, passed
from autograd_check.verify.memo import Memo
from autograd_check.verify.reference import nudged
from autograd_check.verify.tensors import compare as compare_entries
from autograd_check.verify.tensors import (
    is_differentiable,
    is_single,
    is_tensor,
    largest,
    leaves,
    map_leaves,
    map_tensors,
    mismatch_text,
    named_leaves,
    natural_size,
    non_contiguous,
)
from autograd_check.verify.tolerances import DRAWS, NO_LEAVE, OWN_NUDGE, OWN_PRECISION, Leave
from autograd_check.verify.trial import Case, PairNames, Trial, UsesSingle, cotangents_of, draw_cotangent
from autograd_check.verify.values import FLOAT64, narrowed

NOTHING_TO_SET = {"eps": "steps are chosen from the function", "fast_mode": "there is one mode"}
"""Arguments of torch.autograd.gradcheck that have nothing to set here, each with the reason; a note in the report says it."""


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
    func: Callable[..., Any],
    inputs: Any,
    eps: float | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
    seed: int = 0,
    oracle: Callable[..., Any] | None = None,
) -> Report:
    """Check the gradients that autograd gives for `func`, as `torch.autograd.gradcheck` does: same call, true when passed.

    Args:
        func: any differentiable callable of torch: a function, `Function.apply`, an `nn.Module`.
        inputs: a tensor or a sequence; tensors with `requires_grad` are checked, everything else passes through.
        eps: nothing to set: steps are chosen from the function.
        atol: by default the tolerance is derived; with `atol` or `rtol` an error within atol + rtol·|expected| passes as well, and
            the report says how large it is.
        rtol: see `atol`.
        raise_exception: raise `GradientError` unless all is well; otherwise return the falsy report.
        nondet_tol: how far two runs may differ. With 0 gradients are the same bit for bit, and outputs but for their last bits.
        check_undefined_grad: whether the backward takes None for outputs that have no cotangent.
        check_grad_dtypes: whether every gradient has the dtype of its input.
        check_batched_grad: whether the backward under vmap gives what it gives for one cotangent at a time.
        check_batched_forward_grad: the same of forward mode.
        check_forward_ad: forward mode against finite differences, and against the backward.
        check_backward_ad: whether the backward is checked.
        fast_mode: nothing to set: there is one mode.
        masked: of sparse inputs only the entries that are stored are differentiated.
        seed: of the cotangent and the directions.
        oracle: the same function from torch's own parts, run in float64: outputs and gradients are compared with its at every
            entry, as far as rounding in the precision of the inputs lets them agree.

    Inputs of less than float64 are checked twice: the mathematics in float64, then the result in their own dtype against it. A function
    that takes no float64 is judged in its own precision, and the report says what error would have been seen.

    Raises:
        GradientError: a gradient is wrong or could not be judged; the text names input, entry, both values and the cause. An
            exception of `func` is its `__cause__`.
        ValueError: no input requires grad, or one is on the meta device; or a check was asked for that needs another one, which is
            switched off.

    """
    asked = Asked(
        backward=check_backward_ad,
        forward=check_forward_ad,
        undefined=check_undefined_grad,
        dtypes=check_grad_dtypes,
        batched=check_batched_grad,
        batched_forward=check_batched_forward_grad,
        masked=bool(masked),
        leave=Leave(atol or 0.0, rtol or 0.0, nondet_tol),
        oracle=oracle,
        notes=_notes(eps=eps, fast_mode=fast_mode),
    )
    return _reported(f"gradcheck of {_name(func)}", callee(func, _listed(inputs)), func, asked, seed, raise_exception)


def compare(
    func: Callable[..., Any], reference: Callable[..., Any], inputs: Any, *, raise_exception: bool = True, seed: int = 0
) -> Report:
    """Compare the outputs of a kernel with those of a plain function in float64, at every entry; no gradient is asked for.

    Args:
        func: the kernel, at `inputs` as they are.
        reference: the same function from torch's own parts, at `inputs` in float64.
        inputs: a tensor or a sequence of arguments.
        raise_exception: raise `GradientError` unless they agree as far as rounding lets them; otherwise return the falsy report.
        seed: of the roundings with which the reference is run.

    Raises:
        GradientError: outputs differ; the text names entry, both values and the cause.

    """
    from autograd_check.run.widened import in_double, widened

    given = [map_leaves(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, value) for value in _listed(inputs)]
    called = callee(func, given)
    exact = Callee(widened(reference), tuple(map_leaves(in_double, value) for value in called.inputs), called.names)
    with same_start(func, reference) as rewind:
        ours, theirs = Wrapped(called, forward_only=True), Wrapped(exact, forward_only=True)
        own, plain = TorchCallable(ours, None, rewind), TorchCallable(theirs, None, rewind)
        points = [Point(dict(zip(called.names, wrapped.primals, strict=True))) for wrapped in (ours, theirs)]
        kernel = Kernel(own, PairNames("forward", "backward", (), None), points[0], seed, _cause_of(points[1]))
        findings = tuple(against(kernel, Definition(plain, points[1]), gradients=False))
    report = Report(f"{_name(func)} against {_name(reference)}", findings)
    if raise_exception and not report:
        raise GradientError(report.to_text()) from own.raised
    return report


def gradcheck_all(
    checks: Mapping[str, tuple[Callable[..., Any], Any]], *, raise_exception: bool = True, seed: int = 0
) -> Reports:
    """Check many functions as `gradcheck` does, all of them whatever the first ones do; what they share is computed once.

    Functions that are given the same tensors share their float64 copies and the directions of their differences, and those
    with outputs of the same shape and dtype their cotangents.

    Args:
        checks: `(func, inputs)` by the name under which the report is to be found.
        raise_exception: raise `GradientError` unless all is well; otherwise return the falsy reports.
        seed: of the cotangents and the directions; a function's report is the one that `gradcheck` gives with this seed.

    Raises:
        GradientError: after the last check, with the text of every report that did not pass.
        ValueError: a function has no input that requires grad; the text names it.

    """
    memo = Memo()
    found: list[Report] = []
    for name, (func, inputs) in checks.items():
        try:
            found.append(Report(name, tuple(_gradcheck(callee(func, _listed(inputs)), func, Asked(), seed, memo).findings)))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    reports = Reports(tuple(found))
    if raise_exception and not reports:
        raise GradientError(reports.to_text())
    return reports


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    eps: float | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
    seed: int = 0,
) -> Report:
    """Check second derivatives: the gradient of `func` as a function of its inputs and of its cotangent.

    Arguments and errors are those of `gradcheck`. `grad_outputs` are the cotangents at which the gradient is taken, one for each
    differentiable output; by default random, and with `gen_non_contig_grad_outputs` non-contiguous. `check_fwd_over_rev` is forward
    mode over the backward, `check_rev_over_rev` the backward of the backward.
    """
    asked = Asked(
        backward=check_rev_over_rev,
        forward=check_fwd_over_rev,
        undefined=check_undefined_grad and check_rev_over_rev,
        dtypes=check_grad_dtypes,
        batched=check_batched_grad,
        masked=bool(masked),
        leave=Leave(atol or 0.0, rtol or 0.0, nondet_tol),
        notes=_notes(eps=eps, fast_mode=fast_mode),
    )
    called = callee(func, _listed(inputs))
    try:
        if grad_outputs is None:
            with same_start(func) as rewind, torch.enable_grad():
                rewind()
                outputs = [o for o in leaves(called.call(*called.inputs)) if is_differentiable(o) and o.requires_grad]
            (drawn,) = cotangents_of(tuple(outputs), seed, full=False)
            grad_outputs = [non_contiguous(d) if gen_non_contig_grad_outputs else d.clone() for d in drawn]
    except Exception as error:
        if raise_exception:
            raise GradientError(f"gradgradcheck of {_name(func)}: it raised {type(error).__name__}: {error}") from error
        text = f"forward raised {type(error).__name__}: {error}"
        return Report(f"gradcheck of {_name(func)}", (failed("runs", "out", "the given point", text, Kind.VALUE, Cause.CRASHED),))
    cotangents = [map_leaves(_rooted, d) for d in _listed(grad_outputs)]
    first = _first_gradient(called, len(cotangents))
    title = f"gradcheck of the gradient of {_name(func)}"
    return _reported(title, first(cotangents), func, asked, seed, raise_exception)


def _first_gradient(called: Callee, count: int) -> Callable[[Sequence[Any]], Callee]:
    """The gradient of a callable as a function of its inputs and `count` cotangents: what makes it, once these are known."""
    moving = [any(is_tensor(leaf) and leaf.requires_grad for leaf in leaves(value)) for value in called.inputs]

    def first_gradient(*arguments: Any) -> Any:
        given, douts = arguments[: len(moving)], arguments[len(moving) :]
        roots = [map_leaves(_own_root, value) if moves else value for value, moves in zip(given, moving, strict=True)]
        with torch.enable_grad():
            outputs = [o for o in leaves(called.call(*roots)) if is_differentiable(o) and o.requires_grad]
            sources = [leaf for root, moves in zip(roots, moving, strict=True) if moves for leaf in leaves(root)]
            sources = [leaf for leaf in sources if is_differentiable(leaf)]
            grads = pull_back(outputs, sources, leaves(list(douts)), create_graph=True)
        return tuple(torch.zeros_like(s) if g is None else g for s, g in zip(sources, grads, strict=True))

    names = ("dout",) if count == 1 else tuple(f"dout{place}" for place in range(count))
    apart = tuple(name if name not in called.names else f"cotangent {name}" for name in names)
    return lambda cotangents: Callee(first_gradient, (*called.inputs, *cotangents), (*called.names, *apart))


def _rooted(leaf: Any) -> Any:
    return leaf.detach().requires_grad_() if is_differentiable(leaf) else leaf


def _own_root(leaf: Any) -> Any:
    """A leaf of the tape, also where gradients are switched off around the call; a tangent that it carries stays."""
    if not is_differentiable(leaf) or leaf.requires_grad:
        return leaf
    return (leaf.view_as(leaf) if leaf.layout is torch.strided else leaf.detach()).requires_grad_()


def _listed(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, (tuple, list)) else [inputs]


def _notes(**given: Any) -> tuple[str, ...]:
    return tuple(f"{name} is ignored: {NOTHING_TO_SET[name]}" for name, value in given.items() if value)


def _reported(title: str, called: Callee, func: Callable[..., Any], asked: Asked, seed: int, raise_exception: bool) -> Report:
    checked = _gradcheck(called, func, asked, seed, Memo())
    report = Report(title, tuple(checked.findings), asked.notes)
    if raise_exception and not report:
        raise GradientError(report.to_text()) from checked.raised
    return report


@dataclass(frozen=True)
class Checked:
    """Findings, and the exception of the function where it did not run."""

    findings: list[Finding]
    raised: Exception | None


def _gradcheck(called: Callee, func: Callable[..., Any], asked: Asked, seed: int, memo: Memo) -> Checked:
    low = any(is_single(leaf) for value in called.inputs for leaf in leaves(value))
    exact = _in_double(called) if low else called
    with same_start(func) as rewind:
        wrapped = Wrapped(exact, masked=asked.masked)
        candidate = TorchCallable(wrapped, exact.body, rewind)
        point = _point(wrapped, memo)
        names = PairNames("forward", "backward", wrapped.wrt, None)
        if low:
            given = Wrapped(called, masked=asked.masked)
            own = TorchCallable(given, called.body, rewind)
            if asked.oracle is not None or _needs_own_precision(candidate, own, point, _point(given, memo)):
                kernel = Kernel(own, names, _point(given, memo), seed, _cause_of(point))
                return Checked(list(_judged(kernel, exact, point, asked, rewind)), own.raised)
        narrows = _Narrows(wrapped, point, seed)
        further = Further(candidate, asked)
        if asked.backward:
            findings = _check(candidate, names, point, seed, narrows, memo, asked.leave, further)
        else:
            pair = Pair(candidate, names, seed, Explained(explain), narrows, memo, (point,), asked.leave)
            findings = aggregate(further.alone(pair))
        findings += _misfits(wrapped)
        if wrapped.empty:
            return Checked([_nothing(wrapped)], candidate.raised)
        narrow = (low or candidate.doubted) and bool(narrows.to)
        if narrow and not any(finding.check == FLOAT64 for finding in findings):
            findings.append(narrowed("out"))
        if low and not narrow:
            findings += check_own_precision(own, candidate, names, (_point(given, memo), point), seed)
        if asked.oracle is not None:
            kernel = Kernel(candidate, names, point, seed, _cause_of(point))
            findings += _judged(kernel, exact, point, asked, rewind)
    return Checked(findings, candidate.raised)


def _needs_own_precision(exact: TorchCallable, own: TorchCallable, wide: Point, given: Point) -> bool:
    """Whether a function runs at its inputs as they are, and not in float64."""
    outcome = exact.vjp("forward", "backward", wide, [])
    if outcome.ok:
        outcome = exact.vjp("forward", "backward", wide, [draw_cotangent(outcome.value[0], Generator().manual_seed(0))])
    return not outcome.ok and own.vjp("forward", "backward", given, []).ok


def _judged(kernel: Kernel, exact: Callee, point: Point, asked: Asked, rewind: Rewind) -> Iterator[Finding]:
    """A function in the precision of its inputs, against its definition where there is one."""
    if asked.oracle is None:
        yield from alone(kernel)
        return
    from autograd_check.run.widened import widened

    definition = Wrapped(Callee(widened(asked.oracle), exact.inputs, exact.names), masked=asked.masked)
    yield from against(kernel, Definition(TorchCallable(definition, None, rewind), Point(dict(point.primals))))


def _cause_of(point: Point) -> Callable[[str, Tensor, Tensor, Any], Diagnosis | None]:
    """What the relations of lessons say of a wrong array beside the right one."""

    def cause(path: str, got: Tensor, want: Tensor, dout: Any) -> Diagnosis | None:
        piece = Evidence(path, got, want, point.primals, {}, None, dout, lambda _: {}, {})
        return explain([piece])

    return cause


@dataclass(frozen=True)
class _Narrows:
    """Whether the callable turns float64 into less on the way, as `UsesSingle` asks; looked at when it is first asked."""

    wrapped: Wrapped
    point: Point
    seed: int

    def __call__(self, trial: Trial) -> bool:
        return bool(self.to)

    @cached_property
    def to(self) -> str:
        """The first lower precision that was seen; "" where there is none."""
        from autograd_check.run.widened import narrows_to

        return narrows_to(self.wrapped, self.point, self.seed)


def _in_double(called: Callee) -> Callee:
    """The callable in float64, with what it captured."""
    from autograd_check.run.widened import in_double, widened

    body = None if called.body is None else widened(called.body)
    return Callee(widened(called.call), tuple(map_leaves(in_double, value) for value in called.inputs), called.names, body)


def _check(
    candidate: PairCandidate,
    names: PairNames,
    point: Point,
    seed: int,
    single: UsesSingle,
    memo: Memo | None = None,
    leave: Leave = NO_LEAVE,
    after: After | None = None,
) -> list[Finding]:
    causes = Explained(explain)
    case = Case(GIVEN, point)
    return check_pair(
        candidate, names, [case], seed=seed, explain=causes, uses_single=single, memo=memo, leave=leave, after=after
    )


def _point(wrapped: Wrapped, memo: Memo) -> Point:
    return Point({name: _detached(value, memo) for name, value in zip(wrapped.names, wrapped.primals, strict=True)})


def _detached(value: Any, memo: Memo) -> Any:
    return map_leaves(lambda leaf: memo.once("detached", [leaf], leaf.detach) if isinstance(leaf, Tensor) else leaf, value)


def _name(func: Callable[..., Any]) -> str:
    owner = getattr(func, "__self__", None)
    if isinstance(owner, type):
        return f"{owner.__name__}.{getattr(func, '__name__', 'apply')}"
    return getattr(func, "__name__", type(func).__name__)


def _misfits(wrapped: Wrapped) -> Iterator[Finding]:
    """Every gradient has the layout of its input."""
    for subject, layout in wrapped.misfits.items():
        text = f"{subject} is {layout}, and {subject[1:]} is strided; return a gradient in the layout of the input"
        yield failed("layout", subject, "", text, Kind.GRADIENT, Cause.WRONG_TYPE)


def _nothing(wrapped: Wrapped) -> Finding:
    """The finding about a callable that returns nothing with a derivative: right where it returns nothing, or integers."""
    if wrapped.returned == "only tensors":
        text = "the function returned no tensor of fractions, so there is nothing to differentiate"
        return passed("returned", "out", GIVEN, text)
    text = f"the function returned {wrapped.returned}, expected a tensor, or several in a tuple: is a return missing?"
    return failed("returned", "out", GIVEN, text, Kind.VALUE, Cause.RETURNS_NONE)


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
    asked = [(low, given, map_leaves(lambda leaf: _as(leaf, next(own)), dout)), (exact, wide, dout)]
    asked += [(exact, _nudged(given, generator), dout) for _ in range(DRAWS - 1)]
    outcomes = [who.vjp(names.forward, names.backward, point, [d], wrt=names.wrt) for who, point, d in asked]
    for position, name in enumerate(names.wrt):
        answers = [named_leaves(outcome.value[1][0][position], f"d{name}") for outcome in outcomes if outcome.ok]
        floor = natural_size(outs[0].value[0], dout, wide.primals[name])
        for (path, got), (_, want), *others in zip(*answers, strict=True):
            yield _own_precision(path, got, want, [other for _, other in others], floor)


def _as(leaf: Any, other: Any) -> Any:
    return leaf.to(other.dtype) if is_tensor(leaf) else leaf


def _nudged(point: Point, generator: Generator) -> Point:
    from autograd_check.run.widened import in_double

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
    mismatch = compare_entries(got.detach().to(want.dtype), want, OWN_PRECISION * (spread + rounding))
    if mismatch is None:
        return passed(check, path, "", "agrees with float64", kind)
    text = f"in {str(got.dtype).removeprefix('torch.')}: {mismatch_text(mismatch)}"
    says = "The gradient is right in float64 but loses its digits in its own dtype."
    return failed(check, path, "", text, Kind.CONVENTION, Cause.UNSTABLE, says=says, mismatch=mismatch)
