"""The syllabus, `lessons/README.md`: units, lessons, prerequisites, time, points, and what each lesson checks."""

from __future__ import annotations

from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.outline import unit_title
from autograd_check.course.spec import (
    Checker,
    Initialiser,
    Pair,
    Plain,
    Properties,
    Stateful,
    Stochastic,
    Task,
    UpdateRule,
    WriteTheTest,
)


def syllabus(course: Course) -> str:
    """The syllabus of a course as Markdown. Runs every lesson file."""
    lessons = course.lessons
    minutes = sum(lesson.spec.minutes for lesson in lessons)
    blocks = [
        "# Syllabus",
        "This page and the stubs beside it are made from `solutions/` by `autograd-check stubs`; do not edit this page.",
        f"{len(lessons)} lessons, {sum(lesson.spec.points for lesson in lessons)} points, about {_hours(minutes)}. "
        "Open a file, replace what raises `NotImplementedError`, and run `autograd-check check NAME`.",
    ]
    for unit in course.outline.units:
        blocks += _unit(unit, [lesson for lesson in lessons if lesson.unit == unit])
    return "\n\n".join(blocks) + "\n"


def _unit(unit: str, lessons: list[CourseLesson]) -> list[str]:
    rows = ["| lesson | idea | comes after | time | points |", "|---|---|---|---|---|"]
    for lesson in lessons:
        spec = lesson.spec
        after = ", ".join(spec.requires) or "–"
        title = spec.title.replace("|", r"\|")
        rows.append(f"| [{spec.name}]({unit}/{spec.name}.py) | {title} | {after} | {spec.minutes} min | {spec.points} |")
    checks = [f"- **{lesson.spec.name}**: " + "; ".join(map(_checks, lesson.spec.tasks)) + "." for lesson in lessons]
    return [f"## {unit_title(unit)}", "\n".join(rows), "What is checked:", "\n".join(checks)]


def _checks(task: Task) -> str:
    names = " and ".join(f"`{name}`" for name in task.functions)
    match task:
        case Pair():
            gradients = ", ".join(f"`d{name}`" for name in task.wrt)
            return f"{names}: the value of `out` and {gradients} ({'; '.join(probe.name for probe in task.probes)})"
        case Stateful():
            gradients = ", ".join(f"`d{name}`" for name in task.wrt)
            return f"{names}: the value of `out` and {gradients} in every call ({'; '.join(run.name for run in task.runs)})"
        case Stochastic():
            gradients = ", ".join(f"`d{name}`" for name in task.wrt)
            rates = ", ".join(f"{rate:g}" for rate in task.rates)
            return f"{names}: rate, scale and independence of what is dropped, and {gradients}, for p of {rates}"
        case Plain():
            return f"{names}: its value ({'; '.join(probe.name for probe in task.probes)})"
        case UpdateRule():
            return f"{names}: {task.steps} steps beside torch.optim, with {len(task.hypers)} settings"
        case Initialiser():
            return f"{names}: mean, spread and a {task.law} distribution"
        case Checker():
            return f"{names}: its order, and which claimed gradients of {len(task.scalars)} functions pass it"
        case WriteTheTest():
            return f"{names}: {len(task.wrong)} planted bugs to catch, {len(task.right)} right implementations to accept"
        case Properties():
            return f"{names}: {', '.join(claim.check for claim in task.properties)}"


def _hours(minutes: int) -> str:
    return f"{minutes} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"
