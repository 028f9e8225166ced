"""The syllabus, `lessons/README.md`: units, lessons, prerequisites, time, points, and what each lesson checks."""

from __future__ import annotations

from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.outline import unit_title
from autograd_check.course.spec import (
    Checker,
    Initialiser,
    Layer,
    Plain,
    Properties,
    Stateful,
    Stochastic,
    Task,
    UpdateRule,
    WriteTheTest,
)

_MADE = "This page and the stubs beside it are made from `solutions/` by `autograd-check stubs`; do not edit this page."
_OWN = "This page belongs to the course, and a newer course brings a newer page; the lessons beside it are yours."


def syllabus(course: Course) -> str:
    """The syllabus of a course as Markdown. Runs every lesson file."""
    lessons = course.lessons
    minutes = sum(lesson.spec.minutes for lesson in lessons)
    blocks = [
        "# Syllabus",
        _OWN if course.outline.own else _MADE,
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
        case Layer(wrt=wrt, probes=probes) | Stochastic(wrt=wrt, probes=probes):
            return f"{names}: {_gradients(wrt)} ({'; '.join(probe.name for probe in probes)})"
        case Stateful(wrt=wrt, runs=runs):
            return f"{names}: {_gradients(wrt)}, call after call ({'; '.join(run.name for run in runs)})"
        case Plain(probes=probes):
            return f"{names}: its value ({'; '.join(probe.name for probe in probes)})"
        case UpdateRule(steps=steps, hypers=hypers):
            return f"{names}: {steps} steps beside torch.optim, with {len(hypers)} settings"
        case Initialiser(law=law):
            return f"{names}: mean, spread and a {law} distribution"
        case Checker(scalars=scalars):
            return f"{names}: its values, its order, and which gradients it lets through, for {len(scalars)} functions"
        case WriteTheTest(wrong=wrong, right=right):
            return f"{names}: rejects {len(wrong)} implementations with a bug and accepts {len(right)} without"
        case Properties(properties=properties):
            return f"{names}: {', '.join(claim.check for claim in properties)}"


def _gradients(wrt: tuple[str, ...]) -> str:
    return "the value of `out` and " + ", ".join(f"`d{name}`" for name in wrt)


def _hours(minutes: int) -> str:
    return f"{minutes} minutes" if minutes < 90 else f"{minutes / 60:.0f} hours"
