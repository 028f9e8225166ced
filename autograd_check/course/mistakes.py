"""The mistakes of a lesson made runnable: the reference with one edit, or with some functions replaced."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from copy import deepcopy
from types import FunctionType
from typing import Any

from autograd_check.course.spec import Lesson, Mistake
from autograd_check.errors import CourseError


def edited_source(source: str, mistake: Mistake, where: str) -> str:
    """The reference's source with the mistake's edit made everywhere before the specification, or with what it adds there.

    Raises `CourseError` where the old text does not occur.
    """
    if mistake.edit is None:
        head, marker, tail = source.partition("### BEGIN SPEC")
        return f"{head.rstrip()}\n\n\n{mistake.added}\n{marker}{tail}" if mistake.added else source
    old, new = mistake.edit
    head, marker, tail = source.partition("### BEGIN SPEC")
    if old not in head:
        raise CourseError(f"{where}: mistake {mistake.name!r} edits {old!r}, which does not occur in the reference.")
    return head.replace(old, new) + marker + tail


def functions_of(source: str, filename: str, names: tuple[str, ...]) -> dict[str, Callable[..., Any]]:
    """Run trusted source of the course (without its specification) and return the named functions that it defines."""
    code = compile(ast.parse(source.partition("### BEGIN SPEC")[0], filename), filename, "exec")
    namespace: dict[str, Any] = {"__name__": f"_course_{names[0] if names else 'lesson'}"}
    exec(code, namespace)
    return {name: value for name, value in namespace.items() if isinstance(value, (FunctionType, type)) or name in names}


def mistake_functions(lesson: Lesson, mistake: Mistake, reference: str, filename: str) -> Mapping[str, Callable[..., Any]]:
    """The lesson's functions as someone writes them who makes this mistake: new ones each time, whatever the last ones kept."""
    functions = functions_of(edited_source(reference, mistake, filename), filename, lesson.functions)
    return {**functions, **{name: _renewed(function) for name, function in mistake.functions.items()}}


def _renewed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with its default arguments as they are now: a list there would remember every call."""
    if not isinstance(function, FunctionType):
        return function
    new = FunctionType(
        function.__code__, function.__globals__, function.__name__, deepcopy(function.__defaults__), function.__closure__
    )
    new.__kwdefaults__ = deepcopy(function.__kwdefaults__)
    return new
