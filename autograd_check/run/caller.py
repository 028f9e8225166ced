"""The student's side of a `Candidate`: the one place that calls their functions.

The same code serves the executors in this process and in one of its own. Everything it says about a call beside the value (changed, aliases, printed) is said
on the student's side of the boundary, and so is advice for the student, never a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from types import ModuleType
from typing import Any

import torch

from autograd_check.requests import Here
from autograd_check.run.batch import sweep as sweep_points
from autograd_check.run.deadline import Deadline
from autograd_check.run.failures import DebuggerLeft, Missing, WrongArity, failure_of, leaves_debugger
from autograd_check.run.marshal import fresh, plain, tensors_in, type_name
from autograd_check.run.operations import OperationRecorder
from autograd_check.run.printed import Printed, quietly
from autograd_check.run.restore import Rewind, reseed
from autograd_check.run.side_effects import argument_names, changed_paths, gradient_overlaps, overlaps
from autograd_check.run.source import NONE, run_source
from autograd_check.run.state import Trajectory, bind_state
from autograd_check.verify.candidate import Failure, Outcome, Point
from autograd_check.verify.reference import differentiate
from autograd_check.verify.slope import Row
from autograd_check.verify.tensors import is_differentiable, leaves, map_leaves, refilled


@dataclass
class Request:
    """What is known so far about the request in hand; becomes its `Outcome`."""

    value: Any = None
    failure: Failure | None = None
    changed: list[str] = field(default_factory=list)
    spoilt: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    printed: Printed | None = None

    def note_changes(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Add the names of arguments whose contents differ from the originals."""
        self.changed += self._changes(before, after)

    def note_spoilt(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """The same after a backward: what the forward has left alone."""
        self.spoilt += self._changes(before, after)

    def _changes(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        paths = [path for name, original in before.items() for path in changed_paths(name, original, after[name])]
        return [path for path in paths if path not in self.changed and path not in self.spoilt]

    def outcome(self) -> Outcome:
        """The finished record."""
        noted = (tuple(self.changed), tuple(self.spoilt), tuple(self.aliases))
        return Outcome(self.value, self.failure, *noted, "" if self.printed is None else self.printed.text)


class Session(Here):
    """Some functions under test, and the calls that may be made to them.

    `files` are the names of the student's own files (for tracebacks), `deadline` the seconds that one call may take.
    `capture` keeps what the functions print out of the terminal; switch it off for a debugger. `rewind`, where there is one,
    is called before every forward; without it random numbers go on, and only a sweep starts them anew at every point.
    """

    _caught: tuple[type[BaseException], ...] = (BaseException,)
    """What a call may raise without ending the checks."""
    one_cache = False

    def __init__(
        self,
        functions: Mapping[str, Any],
        loading: Outcome,
        files: Collection[str],
        deadline: Deadline,
        *,
        capture: bool = True,
        rewind: Rewind | None = None,
    ) -> None:
        self._functions = dict(functions)
        self._loading = loading
        self._files = files
        self._deadline = deadline
        self._capture = capture
        self._rewind = rewind
        self._raised: list[Exception] = []

    def functions(self) -> tuple[str, ...]:
        """Names of the functions that the code defines."""
        return tuple(self._functions)

    def loaded(self) -> Outcome:
        """What came of running the file."""
        return self._loading

    def call(self, function: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Outcome:
        """See `Candidate.call`; `changed` names arguments as the function does, `args[0]` where it does not."""
        with self._request() as request, torch.no_grad():
            names = argument_names(self._function(function), len(args), kwargs or {})
            before = dict(zip(names, args, strict=True)) | dict(kwargs or {})
            given = {name: fresh(value) for name, value in before.items()}
            values = list(given.values())
            named = {name: given[name] for name in kwargs or ()}
            result = self._run(function, *values[: len(args)], **named)
            request.note_changes(before, given)
            request.value = plain(result)
            arguments = [pair for name, value in given.items() for pair in tensors_in(value, name)]
            request.aliases += overlaps(list(tensors_in(result, "result")), arguments)
        return request.outcome()

    def vjp(
        self,
        forward: str,
        backward: str,
        point: Point,
        douts: Sequence[Any],
        *,
        share_cache: bool = False,
        between: Point | None = None,
        wrt: Sequence[str] = (),
        told: Callable[[Any], None] | None = None,
    ) -> Outcome:
        """See `Candidate.vjp`. `told` is given the forward's output before the first backward runs."""
        with self._request() as request, self._surroundings():
            primals, out, cache = self._forward(request, forward, point)
            request.value = (plain(out), [])
            if told is not None:
                told(request.value[0])
            if between is not None:
                with suppress(Exception):  # only what it leaves behind matters
                    self._forward(Request(), forward, between)
            for number, dout in enumerate(douts):
                if number and not share_cache:
                    primals, _, cache = self._forward(request, forward, point)
                cotangent = fresh(dout)
                grads = self._run(backward, cotangent, cache)
                if request.printed is not None:
                    request.printed.stop()  # a second cotangent would only print the same again
                request.value[1].append(plain(grads))
                request.note_spoilt({"dout": dout, **point.primals}, {"dout": cotangent, **primals})
                if number == 0 and not share_cache:
                    request.aliases += gradient_overlaps(grads, primals, wrt)
        return request.outcome()

    def sweep(self, forward: str, points: Sequence[Point], *, signatures: bool = False, returns_cache: bool = True) -> Outcome:
        """See `Candidate.sweep`; where the forward raises at every point the outcome holds a failure as well."""
        with self._request() as request, torch.no_grad():
            self._function(forward)
            self._raised.clear()
            rows = self._rows(forward, points, signatures, returns_cache)
            request.value = rows
            if self._raised and all(out is None for out, _ in rows):
                raise self._raised[-1]
        return request.outcome()

    def _rows(self, forward: str, points: Sequence[Point], signatures: bool, returns_cache: bool) -> Sequence[Row]:
        rows = sweep_points(partial(self._value, forward, returns_cache), points, signatures=signatures)
        return [(plain(out), signature) for out, signature in rows]

    def _value(self, name: str, returns_cache: bool, /, *primals: Any, **hyper: Any) -> Any:
        """`out` alone; what the forward raises is kept."""
        try:
            result = self._run_forward(name, self._lent(primals), fresh(hyper), self._rewind or reseed)
            return self._out(name, result, returns_cache)
        except Exception as error:
            self._raised.append(error)
            raise

    def taped(self, forward: str, point: Point, dout: Any, wrt: Sequence[str], *, returns_cache: bool = True) -> Outcome:
        """See `Candidate.taped`."""
        with self._request() as request, torch.enable_grad():
            roots = {name: map_leaves(rooted, fresh(value)) for name, value in point.primals.items()}
            # The function gets copies that the tape follows: writing into a root itself would be an error.
            primals = [map_leaves(follow, value) for value in roots.values()]
            out = self._out(forward, self._run_forward(forward, primals, fresh(dict(point.hyper)), self._rewind), returns_cache)
            grads = differentiate(out, dout, [root for name in wrt for root in leaves(roots[name])])
            request.value = [plain(value) for value in refilled([roots[name] for name in wrt], grads)]
        return request.outcome()

    def timed(self, forward: str, backward: str, point: Point, dout: Any, times: int) -> Outcome:
        """See `Candidate.timed`."""
        with self._request() as request, self._surroundings():
            primals, cotangent, hyper = [fresh(value) for value in point.primals.values()], fresh(dout), fresh(dict(point.hyper))
            started = perf_counter()
            for _ in range(times):
                _, cache = self._pair(forward, self._run_forward(forward, primals, hyper, None))
                self._run(backward, cotangent, cache)
            request.value = (perf_counter() - started) / times
        return request.outcome()

    def operations(
        self, forward: str, point: Point, backward: str | None = None, dout: Any = None, *, returns_cache: bool = True
    ) -> Outcome:
        """See `Candidate.operations`."""
        with self._request() as request, self._surroundings():
            primals = [fresh(value) for value in point.primals.values()]
            hyper = fresh(dict(point.hyper))
            cotangent = fresh(dout)
            watched = [leaf for value in point.primals.values() for leaf in leaves(value) if isinstance(leaf, torch.Tensor)]
            with OperationRecorder(watched if backward is not None else (), self._files) as recorder:
                result = self._run_forward(forward, primals, hyper, self._rewind)
                if backward is not None:
                    self._pair(forward, result)
                    self._run(backward, cotangent, result[1])
                elif returns_cache:
                    self._pair(forward, result)
            request.value = recorder.names()
        return request.outcome()

    def trajectory(
        self,
        function: str,
        starts: Sequence[Any],
        gradients: Sequence[Sequence[Any]],
        hyper: Mapping[str, Any] | None = None,
        *,
        together: bool = False,
    ) -> Outcome:
        """See `Candidate.trajectory`; arguments are compared with their originals after the last step."""
        with self._request() as request, torch.no_grad():
            request.value = []
            step = self._step(function)
            run = Trajectory(function, step, hyper or {}, together=together)
            try:
                for params in run.steps(starts, gradients):
                    request.value.append(params)
            finally:
                for originals, given in run.given:
                    request.note_changes(originals, given)
        return request.outcome()

    @contextmanager
    def _request(self) -> Iterator[Request]:
        """A request in hand: whatever is raised inside becomes its failure."""
        request = Request(failure=self._loading.failure)
        streams: AbstractContextManager[Printed | None] = quietly() if self._capture else nullcontext()
        try:
            with streams as request.printed, self._deadline.watch():
                yield request
        except DebuggerLeft:
            raise
        except self._caught as error:
            request.failure = self._loading.failure or failure_of(error, self._files, self._deadline.seconds)

    def _surroundings(self) -> AbstractContextManager[Any]:
        """What a forward and its backward run in: autograd is off, unless they switch it on."""
        return torch.no_grad()

    def _lent(self, primals: tuple[Any, ...]) -> Sequence[Any]:
        """What a forward is given at a point of a sweep: copies."""
        return [fresh(value) for value in primals]

    def _function(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] | None = self._functions.get(name)
        if function is None or not callable(function):
            raise Missing(f"{name} is not defined" if function is None else f"{name} is {type_name(function)}, no function")
        return function

    def _run(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        function = bind_state(name, self._function(name), args)
        return self._stoppable(lambda: function(*args, **kwargs))

    def _stoppable(self, call: Callable[[], Any]) -> Any:
        """Run within the deadline; where a debugger may stop, `q` ends the request and is no failure of the code."""
        try:
            return self._deadline.run(call)
        except BaseException as error:
            if not self._capture and leaves_debugger(error):
                raise DebuggerLeft from error
            raise

    def _run_forward(self, name: str, primals: Sequence[Any], hyper: Mapping[str, Any], rewind: Rewind | None) -> Any:
        if rewind is not None:
            rewind()
        return self._run(name, *primals, **hyper)

    def _step(self, name: str) -> Callable[..., Any]:
        function = self._function(name)
        return lambda *args, **kwargs: self._stoppable(lambda: function(*args, **kwargs))

    def _forward(self, request: Request, name: str, point: Point) -> tuple[dict[str, Any], Any, Any]:
        primals = {primal: fresh(value) for primal, value in point.primals.items()}
        hyper = fresh(dict(point.hyper))
        out, cache = self._pair(name, self._run_forward(name, list(primals.values()), hyper, self._rewind))
        request.note_changes(point.primals, primals)
        return primals, out, cache

    def _out(self, name: str, result: Any, returns_cache: bool) -> Any:
        return self._pair(name, result)[0] if returns_cache else result

    def _pair(self, name: str, result: Any) -> tuple[Any, Any]:
        if isinstance(result, (tuple, list)) and len(result) == 2:
            return result[0], result[1]
        if result is None:
            raise WrongArity(f"{name} must return (out, cache); it returned None: is a return missing?")
        many = isinstance(result, (tuple, list))
        returned = f"{len(result)} values" if many else f"one {type_name(result).rpartition('.')[2]}"
        raise WrongArity(f"{name} must return (out, cache); it returned {returned}")


def load(
    source: str,
    filename: str,
    dependencies: Mapping[str, str],
    deadline: Deadline,
    *,
    borrowed: Mapping[str, ModuleType] = NONE,
    capture: bool = True,
    names: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], Outcome]:
    """Run a student's file, with `names` as python's own: the callables it defines (none where it fails), and what came of it."""
    request = Request()
    namespace: dict[str, Any] = {}
    streams: AbstractContextManager[Printed | None] = quietly() if capture else nullcontext()
    try:
        with streams as request.printed:
            namespace = deadline.run(lambda: vars(run_source(source, filename, dependencies, borrowed, names)))
    except BaseException as error:
        if not capture and leaves_debugger(error):
            raise DebuggerLeft from error
        request.failure = failure_of(error, (filename,), deadline.seconds)
    functions = {name: value for name, value in namespace.items() if not name.startswith("__") and callable(value)}
    return functions, request.outcome()


def rooted(leaf: Any) -> Any:
    """A tensor that the tape begins at; other values as they are."""
    return leaf.requires_grad_() if is_differentiable(leaf) else leaf


def follow(leaf: Any) -> Any:
    """A copy that the tape follows: writing into a root itself would be an error."""
    return leaf.clone() if is_differentiable(leaf) else leaf
