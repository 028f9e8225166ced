"""A lesson's known mistakes as fingerprints: what each yields on a probe, computed when it is first asked for."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import Any, overload

import torch
from torch import Tensor

from autograd_check.course.load import CourseLesson, importable
from autograd_check.course.mistakes import edited_source, mistake_functions
from autograd_check.course.spec import Layer, Mistake, Plain, Stateful, UpdateRule
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.diagnose.mutate import Mutant, mutants
from autograd_check.grade.trajectory import flat
from autograd_check.run.state import Trajectory, bind_state
from autograd_check.verify.tensors import is_tensor, leaves, map_tensors, named_leaves
from autograd_check.verify.trial import unpack

Known = Layer | Plain | Stateful | UpdateRule
"""Tasks whose mistakes are known by their numbers."""


class LessonFingerprints(Sequence[Fingerprint]):
    """The mistakes of a lesson's task; nothing is run until the first one is looked at."""

    def __init__(self, lesson: CourseLesson, task: Known) -> None:
        """Remember which mistakes there are."""
        self._lesson = lesson
        self._task = task
        self._made: dict[str, Fingerprint] = {}

    def __len__(self) -> int:
        """How many mistakes are known."""
        return len(self._lesson.spec.mistakes)

    @overload
    def __getitem__(self, index: int) -> Fingerprint: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Fingerprint]: ...
    def __getitem__(self, index: int | slice) -> Fingerprint | Sequence[Fingerprint]:
        """The fingerprint of one mistake (or of several)."""
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        known = self._lesson.spec.mistakes[index]
        if known.name not in self._made:
            self._made[known.name] = _fingerprint(self._lesson, self._task, known)
        return self._made[known.name]

    def __iter__(self) -> Iterator[Fingerprint]:
        """All fingerprints in order."""
        return (self[position] for position in range(len(self)))


def mutants_of(lesson: CourseLesson, task: Known, forward: bool) -> Iterator[Fingerprint]:
    """The mutants of one pass of the reference (of a step, of a plain function) as fingerprints, named by what they edit."""
    source = lesson.reference_source().partition("### BEGIN SPEC")[0]
    if isinstance(task, (UpdateRule, Plain)):
        names = task.functions if forward else ()
    else:
        names = (task.forward,) if forward else (task.backward,)
    base: dict[str, Any] = {"__name__": f"_mutants_{lesson.spec.name}"}
    with importable(lesson.source):
        exec(compile(source, str(lesson.solution), "exec"), base)
    for mutant in mutants(source, names):
        yield Fingerprint(mutant.says, mutant.cause, partial(_of_mutant, task, base, mutant))


def _of_mutant(
    task: Known,
    base: Mapping[str, Any],
    mutant: Mutant,
    primals: Mapping[str, Any],
    hyper: Mapping[str, Any],
    dout: Any,
) -> Mapping[str, Any]:
    if isinstance(task, UpdateRule) and "starts" not in primals:
        return {}
    functions = rebound(base, mutant)
    with warnings.catch_warnings():  # an edit may well use a deprecated form, or divide by 0
        warnings.simplefilter("ignore")
        if isinstance(task, UpdateRule):
            return _steps(task, functions.get(task.functions[0]), primals, hyper)
        if isinstance(task, Plain):
            return _value(functions.get(task.name), primals, hyper)
        forward, backward = functions.get(task.forward), functions.get(task.backward)
        if forward is None or backward is None:
            return {}
        try:
            return _gradients(task, forward, backward, primals, hyper, dout)
        except RecursionError:  # a list that holds itself
            return {}


def _steps(
    task: UpdateRule, step: Callable[..., Any] | None, primals: Mapping[str, Any], hyper: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters of a run in one vector, without the guards that the code of students needs."""
    if step is None:
        return {}
    moved = Trajectory(task.functions[0], step, hyper, together=task.together)
    try:
        with torch.no_grad():
            return {"out": flat(list(moved.steps(primals["starts"], primals["gradients"])))}
    except Exception:  # what crashes is not the mistake
        return {}


def rebound(base: Mapping[str, Any], mutant: Mutant) -> dict[str, Any]:
    """The functions of a module with one of them replaced; they call one another's new forms."""
    namespace = dict(base)
    for name, value in base.items():
        if isinstance(value, FunctionType) and value.__globals__ is base:
            namespace[name] = FunctionType(value.__code__, namespace, name, value.__defaults__, value.__closure__)
            namespace[name].__kwdefaults__ = value.__kwdefaults__
    exec(mutant.code, namespace)
    return {name: value for name, value in namespace.items() if callable(value)}


def flat_value(value: Any) -> Tensor:
    """All numbers of a value in one vector of float64."""
    numbers = [
        torch.as_tensor(leaf, dtype=torch.float64).reshape(-1) for leaf in leaves(value) if is_tensor(leaf) or _is_number(leaf)
    ]
    return torch.cat(numbers) if numbers else torch.empty(0, dtype=torch.float64)


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, (int, float)) and not isinstance(leaf, bool)


def _value(function: Callable[..., Any] | None, primals: Mapping[str, Any], hyper: Mapping[str, Any]) -> dict[str, Any]:
    """What a plain function returns, as evidence has it."""
    if function is None:
        return {}
    copies = [map_tensors(lambda tensor: tensor.detach().clone(), value) for value in primals.values()]
    try:
        with torch.no_grad():
            return {"out": flat_value(function(*copies, **hyper))}
    except Exception:  # a known mistake may well crash on this probe; then it is not this one
        return {}


def _fingerprint(lesson: CourseLesson, task: Known, known: Mistake) -> Fingerprint:
    functions = _functions(lesson, known)
    if isinstance(task, Plain):
        plain = functions.get(task.name)
        return Fingerprint(known.name, known.cause, lambda primals, hyper, _: _value(plain, primals, hyper))
    if isinstance(task, UpdateRule):

        def steps(primals: Mapping[str, Any], hyper: Mapping[str, Any], _: Any) -> Mapping[str, Any]:
            if "starts" not in primals:
                return {}
            # a mistake may remember its last run, as the code under test does: whole runs are made once, in order, and a first
            # look at a few steps has functions of its own, so that they find nothing that it left behind
            few = len(primals["gradients"]) < task.steps
            made = _functions(lesson, known) if few else functions
            return _steps(task, made.get(task.functions[0]), primals, hyper)

        return Fingerprint(known.name, known.cause, steps)
    forward, backward = functions.get(task.forward), functions.get(task.backward)

    def gradients(primals: Mapping[str, Any], hyper: Mapping[str, Any], dout: Any) -> dict[str, Any]:
        if forward is None or backward is None:
            return {}
        return _gradients(task, forward, backward, primals, hyper, dout)

    return Fingerprint(known.name, known.cause, gradients, both_passes(lesson, task, known))


def both_passes(lesson: CourseLesson, task: Known, known: Mistake) -> bool:
    """Whether a mistake writes the forward and the backward anew: then its backward is part of it."""
    if isinstance(task, (Plain, UpdateRule)):
        return False
    passes = {task.forward, task.backward}
    if passes <= {*known.functions}:
        return True
    source = lesson.reference_source()
    one, other = (_definitions(text, passes) for text in (source, edited_source(source, known, str(lesson.solution))))
    return all(one.get(name) != other.get(name) for name in passes)


def _definitions(source: str, names: Collection[str]) -> dict[str, str]:
    """The functions of these names as they are written, comments and layout aside."""
    tree = ast.parse(source.partition("### BEGIN SPEC")[0])
    return {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names}


def _functions(lesson: CourseLesson, known: Mistake) -> Mapping[str, Callable[..., Any]]:
    with importable(lesson.source):  # a reference may import earlier ones
        return mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))


def _gradients(
    task: Layer | Stateful,
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    primals: Mapping[str, Any],
    hyper: Mapping[str, Any],
    dout: Any,
) -> dict[str, Any]:
    copies = [map_tensors(lambda tensor: tensor.detach().clone(), value) for value in primals.values()]
    try:
        with torch.no_grad():
            out, cache = bind_state(task.forward, forward, copies)(*copies, **hyper)
            answer = unpack(backward(map_tensors(lambda tensor: tensor.clone(), dout), cache), task.wrt)
    except Exception:  # a known mistake may well crash on this probe; then it is not this one
        return {}
    if answer is None:
        return {}
    flat = {"out": out}
    for subject, gradient in answer.items():
        flat.update(named_leaves(gradient.value, subject, task.leaves.get(subject[1:], ())))
    return flat
