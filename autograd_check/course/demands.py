"""What an author is asked for, read from a lesson file and its specification: each thing that is missing is a sentence.

A sentence begins with file and line, says what is missing, and what to write. Nothing here runs a student's code: what must hold
when the lesson is graded is `autograd_check.grade.rehearsal`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from autograd_check.course.markers import Layout, read_layout
from autograd_check.course.places import Places
from autograd_check.course.resolve import parameters_of
from autograd_check.course.spec import Layer, Lesson, Plain, Stateful, Stochastic, Task, UpdateRule
from autograd_check.course.stubs import WIDTH

LEAST_MISTAKES = 3
LEAST_VARIANTS = 2
HINTS = 3
LEAST_PROSE = 3
"""Lines."""
MOST_LINES = 240
PLACEHOLDER = "TODO"
"""What a new lesson has where its author is to write something."""


def demands(spec: Lesson, text: str, where: Path, variants: Path) -> list[str]:
    """What is missing in a lesson; `where` and `variants` name its two files. Raises `MarkerError`."""
    layout, places = read_layout(text, where), Places.of(text, where)
    return [
        *placeholders(text, where),
        *_prose(places),
        *_long(text, where, layout),
        *_functions(spec, places, layout),
        *_arguments(spec, places),
        *_hidden(places, layout),
        *_specification(spec, places, variants),
    ]


def placeholders(text: str, where: Path) -> list[str]:
    """Every place of a new lesson that is still to be filled in."""
    lines = enumerate(text.splitlines(), 1)
    return [f"{where}:{number}: still to be written: {line.strip()}" for number, line in lines if PLACEHOLDER in line]


def _prose(places: Places) -> Iterator[str]:
    prose = ast.get_docstring(places.tree) or ""
    if len(prose.splitlines()) < LEAST_PROSE:
        yield f"{places.at(1)}: there is no prose: begin the file with a docstring that says the idea, the shapes and the conventions."


def _long(text: str, where: Path, layout: Layout) -> Iterator[str]:
    """What is handed out is read beside an editor's margin."""
    lines = text.splitlines()
    hidden = {n for region in layout.regions if region.kind != "STUB" for n in range(region.first, region.last + 1)}
    for number, line in enumerate(lines, 1):
        if len(line) > WIDTH and number not in hidden:
            yield f"{where}:{number}: {len(line)} columns, and what is handed out has at most {WIDTH}: break the line."
    if len(lines) > MOST_LINES:
        yield (
            f"{where}:{MOST_LINES + 1}: {len(lines)} lines, and a lesson has at most {MOST_LINES}: make two of it, or put what the "
            "lessons of a unit share into its given.py."
        )


def _arguments(spec: Lesson, places: Places) -> Iterator[str]:
    """A forward takes what its shapes and its oracle take, by the same names."""
    defined = {node.name: node.args for node in places.tree.body if isinstance(node, ast.FunctionDef)}
    for task in spec.tasks:
        taken = defined.get(task.functions[0])
        if taken is None or not isinstance(task, Layer | Stateful | Stochastic) or task.signature is None or taken.vararg:
            continue
        line = places.at(places.function(task.functions[0]))
        primals = [primal.name for primal in task.signature.primals]
        positional = [argument.arg for argument in (*taken.posonlyargs, *taken.args)]
        if positional[: len(primals)] != primals:
            yield (
                f"{line}: {task.functions[0]} takes ({', '.join(positional)}) and the shapes say ({', '.join(primals)}): use the same "
                "names in this order."
            )
        elif isinstance(task, Layer) and not taken.kwarg:
            yield from (f"{line}: {task.functions[0]} {says}" for says in _keywords(task, taken, positional[len(primals) :]))


def _keywords(task: Layer, taken: ast.arguments, positional: list[str]) -> Iterator[str]:
    """What is wrong with the hyperparameters of a forward, beside those of its oracle."""
    behind = dict(zip(reversed(positional), reversed(taken.defaults), strict=False))
    named = {argument.arg: default for argument, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)}
    mine = {**{name: behind.get(name) for name in positional}, **named}
    theirs = hyperparameters(task.oracle, {name for probe in task.probes for name in probe.primals})
    for name, default in theirs.items():
        gives = "" if default is inspect.Parameter.empty else f"={default!r}"
        if name not in mine:
            yield f"takes no {name}, and the oracle does: write {name}{gives} behind a *, or take it out of the oracle."
        elif mine[name] is None and any(name not in probe.hyper for probe in task.probes):
            yield f"gives {name} no default, and the oracle does: write {name}{gives}, or say hyper=dict({name}=...)."
        elif gives and _literal(mine[name], default) != default:
            yield f"gives {name} the default {_literal(mine[name], default)!r}, and the oracle {default!r}: write the same in both."
    for name, value in mine.items():
        if theirs and name not in theirs and value is None:
            yield f"needs {name}, which the oracle does not take: its hyperparameters are {', '.join(theirs)}."


def _literal(written: ast.expr | None, otherwise: Any) -> Any:
    """The value of a default that is written out; `otherwise` where it is not."""
    try:
        return otherwise if written is None else ast.literal_eval(written)
    except ValueError:
        return otherwise


def undefined(spec: Lesson, places: Places) -> list[str]:
    """The functions that a lesson asks for and does not define, each in a sentence: without them nothing else can be said."""
    defined = {node.name for node in places.tree.body if isinstance(node, ast.FunctionDef)}
    return [
        f"{places.at(places.lesson)}: the lesson asks for {name}, which the file does not define: write it before the specification."
        for name in spec.functions
        if name not in defined
    ]


def _functions(spec: Lesson, places: Places, layout: Layout) -> Iterator[str]:
    defined = {node.name: node for node in places.tree.body if isinstance(node, ast.FunctionDef)}
    solved = {region.function for region in layout.regions if region.kind == "SOLUTION"}
    for name in spec.functions:
        line = defined[name].lineno
        if not ast.get_docstring(defined[name]):
            yield f'{places.at(line)}: {name} has no docstring: say in one line what goes in and what comes out, with shapes: """x (N, D) → …"""'
        if name not in solved and not spec.given:
            yield (
                f"{places.at(line)}: {name} has no solution markers, so its answer is handed out: put ### BEGIN SOLUTION before it and "
                "### END SOLUTION behind it."
            )
    if spec.given and not solved & set(spec.functions):
        yield f"{places.at(places.lesson)}: nothing is hidden in this hunt: put the fixed code between ### BEGIN SOLUTION and ### END SOLUTION."


def _hidden(places: Places, layout: Layout) -> Iterator[str]:
    line = places.lesson
    inside = (region.first <= line <= region.last for region in layout.regions if region.kind == "SPEC")
    if not any(inside):
        yield f"{places.at(line)}: the specification is handed out: put ### BEGIN SPEC before its imports and ### END SPEC at the end."


def _specification(spec: Lesson, places: Places, variants: Path) -> Iterator[str]:
    if not spec.tasks:
        yield f"{places.at(places.keyword('tasks'))}: there is no task: add tasks=(Layer(...),)."
    for task in spec.tasks:
        if (
            isinstance(task, Layer)
            and task.signature is not None
            and {probe.name for probe in task.probes} <= set(task.automatic)
        ):
            yield (
                f"{places.at(places.keyword('probes', 'tasks'))}: {task.name} has only the probes that every layer has: add probes=(...) "
                "with the edges that matter here, such as edge('zero', x=[[0.0, -1.0]])."
            )
    for number, task in enumerate(spec.tasks):
        for name, value in unvaried(task):
            yield (
                f"{places.at(places.keyword('probes', 'sizes', task=number))}: no probe varies {name}, so whoever ignores it passes: "
                f"add at({name}=...) to probes=(...) with another value than {value}."
            )
    if len(spec.mistakes) < LEAST_MISTAKES:
        yield (
            f"{places.at(places.keyword('mistakes'))}: {_count(len(spec.mistakes), 'mistake')}, and a lesson has at least "
            f"{LEAST_MISTAKES}: add edit(old, new, name, Cause....) for what people really write wrong."
        )
    if len(spec.variants) < LEAST_VARIANTS:
        yield (
            f"{places.at(places.lesson)}: {_count(len(spec.variants), 'variant')}, and a lesson has at least {LEAST_VARIANTS}: write other "
            f"right ways as VARIANTS = (variant(name, function=...), ...) in {variants}."
        )
    if len(spec.hints) != HINTS:
        yield f"{places.at(places.keyword('hints'))}: {_count(len(spec.hints), 'hint')}, and a lesson has {HINTS} that lead without telling."
    if not spec.why.strip():
        yield f"{places.at(places.keyword('why', 'hints'))}: no reason: say to who has passed why the answer is what it is: why='...'."
    if not spec.source.strip():
        yield f"{places.at(places.keyword('source'))}: no source: name the paper or textbook, with the equation: source='...'."


def unvaried(task: Task) -> Iterator[tuple[str, str]]:
    """The hyperparameters of a task that have one value wherever a value or gradient is judged, with that value."""
    if isinstance(task, UpdateRule):
        names, given = dict.fromkeys(name for hyper in task.hypers for name in hyper), list(task.hypers)
        defaults: dict[str, str] = {}
    elif isinstance(task, Layer | Stateful | Plain):
        calls = [call for run in task.runs for call in run.calls] if isinstance(task, Stateful) else list(task.probes)
        calls += [probe for reach in task.reaches for probe in reach.probes] if isinstance(task, Layer) else []
        given = [probe.hyper for probe in calls if probe.convention is None]
        taken = hyperparameters(task.oracle, {name for probe in calls for name in probe.primals})
        names = dict.fromkeys(taken)
        defaults = {name: repr(default) for name, default in taken.items() if default is not inspect.Parameter.empty}
    else:
        return
    for name in names:
        values = {repr(hyper[name]) if name in hyper else defaults.get(name, "") for hyper in given}
        if len(values) < 2:
            yield name, min(values, default="")


def hyperparameters(oracle: Callable[..., Any], primals: Collection[str]) -> dict[str, Any]:
    """What an oracle takes besides the primals, with its defaults; `inspect.Parameter.empty` where there is none."""
    parameters = [p for p in parameters_of(oracle) if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return {p.name: p.default for p in parameters if p.name not in primals and p.name != "state"}


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
