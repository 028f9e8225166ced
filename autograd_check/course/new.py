"""A new course, and a new lesson: files with a `TODO` wherever their author is to write something."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from autograd_check.course.about import ABOUT_FILE, VOCABULARY
from autograd_check.course.files import replace_text
from autograd_check.course.outline import UNIT, Outline
from autograd_check.course.shapes import REST, Named, Signature, parse
from autograd_check.course.variants import variants_file
from autograd_check.errors import CourseError

FIRST_UNIT = "u01_first"
SHAPES = "x[...] -> out[...]"
SIZES = (5, 3, 4, 6, 7, 8, 9)
"""Sizes of a new lesson's axes, in order: all differ, and none reads as a factor 1 or 2."""

TIMED = (256, 64, 48, 32, 16, 8, 4)
"""Sizes at which a new lesson is timed: those of a batch."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def new_course(folder: Path) -> list[Path]:
    """Make `folder` a course without lessons; returns the files written. Raises `CourseError` where there is something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} is there already. Name a folder that is new or empty.")
    about = folder / "solutions" / ABOUT_FILE
    replace_text(folder / "lessons" / ".gitkeep", "")  # git keeps no empty folder
    replace_text(about, f"vocabulary = {VOCABULARY}\n")
    return [about]


def new_lesson(outline: Outline, name: str, unit: str | None = None, shapes: str = SHAPES) -> list[Path]:
    """Write a lesson to be filled in, and the file of its variants; returns both.

    `unit` is the last of the course by default, and need not be there yet. Raises `CourseError` for a name that cannot be one,
    or that is taken.
    """
    unit = unit or (list(outline.units)[-1] if outline.lessons else FIRST_UNIT)
    if not _NAME.fullmatch(name):
        raise CourseError(f"{name!r} cannot name a lesson: write small letters, digits and _, as in leaky_relu.")
    if not UNIT.fullmatch(unit):
        raise CourseError(f"{unit!r} cannot name a unit: write a number and a word, as in {FIRST_UNIT}.")
    if name in (entry.name for entry in outline.lessons):
        raise CourseError(
            f"There is a lesson named {name!r} already: {outline.lesson(name).solution.relative_to(outline.source)}."
        )
    signature = parse(shapes)
    path = outline.source / "solutions" / unit / f"{name}.py"
    others = variants_file(path)
    for file, text in ((path, lesson_text(name, shapes, signature)), (others, variants_text(name, signature))):
        if file.exists():
            raise CourseError(f"{file} is there already.")
        replace_text(file, text)
    return [path, others]


def lesson_text(name: str, shapes: str, signature: Signature) -> str:
    """The text of a new lesson."""
    primals = [primal.name for primal in signature.primals]
    gradients = [f"d{primal}" for primal in signature.differentiable]
    out = signature.outs[0]
    words = "ELEMENTWISE, Cause, Layer, Lesson, edge, edit, standard, wrong"
    elementwise = shapes.replace(" ", "") == SHAPES.replace(" ", "")
    if not elementwise:
        words = words.removeprefix("ELEMENTWISE, ")
    title = name.replace("_", " ").capitalize()
    return f'''"""{title}
{"=" * len(title)}

TODO: the idea in a few lines of at most 110 columns, and the equation of the forward:

    {out.name} = TODO      {_written(signature.primals)}  →  {_written(signature.outs)}

TODO: where each path to the loss comes from, without the gradient that is asked for; conventions where
textbooks differ.
"""

import torch


def {name}_forward({", ".join(primals)}):
    """TODO: the equation.  {_written(signature.primals)} → {_written(signature.outs)}, cache."""
    ### BEGIN SOLUTION
    {out.name} = TODO
    return {out.name}, ({"".join(f"{primal}, " for primal in primals).rstrip() if len(primals) == 1 else ", ".join(primals)})
    ### END SOLUTION


def {name}_backward(dout, cache):
    """dout {_shape(out)} → {", ".join(f"d{_written([signature.primal(primal)])}" for primal in signature.differentiable)}."""
    ### BEGIN SOLUTION
    {", ".join(primals)}{"," if len(primals) == 1 else ""} = cache
    {f"{chr(10)}    ".join(f"{gradient} = TODO" for gradient in gradients)}
    return {", ".join(gradients)}
    ### END SOLUTION


### BEGIN SPEC
import torch.nn.functional as F

from autograd_check.course import {words}

LESSON = Lesson(
    name="{name}",
    title="TODO",
    source="TODO: paper or textbook, with the equation",
    requires=(),
    forbids=("TODO: torch's own function of this kind",),
    points=10,
    minutes=15,  # how long it is expected to take
    tasks=(
        Layer(
            "{shapes}",
            oracle=lambda {", ".join(primals)}: TODO,  # by torch's own functions
            sizes=dict({_sizes(signature, SIZES)}),
            bench=dict({_sizes(signature, TIMED)}),  # at which it is timed
            probes=(
                {"*ELEMENTWISE," if elementwise else ""}
                edge("TODO: a name", {primals[0]}=TODO),  # a list with the numbers that matter here
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit("TODO: text of the reference", "TODO: what people write", "TODO: a name", Cause.SIGN),
        wrong("TODO: a name", Cause.MISSING_TERM),  # whole functions, in solutions/variants/
    ),
    why="TODO: to who has passed, why the answer is what it is.",
    hints=(
        "TODO: a question that makes one look at the right place.",
        "TODO: what the cache must hold, and why.",
        "TODO: the last step, in words.",
    ),
)
### END SPEC
'''.replace("                \n", "")


def variants_text(name: str, signature: Signature) -> str:
    """The text of the file with the variants of a new lesson."""
    primals = ", ".join(primal.name for primal in signature.primals)
    return f'''"""{name.replace("_", " ").capitalize()}: other right ways to write it, and whole functions that go wrong."""

import torch

from autograd_check.course import variant


def _loops_forward({primals}):
    TODO


def _loops_backward(dout, cache):
    TODO


def _closure_forward({primals}):
    TODO


def _closure_backward(dout, cache):
    return cache(dout)


def _forgetful_backward(dout, cache):
    TODO


VARIANTS = (
    variant("python numbers", {name}_forward=_loops_forward, {name}_backward=_loops_backward),
    variant("a closure as cache", {name}_forward=_closure_forward, {name}_backward=_closure_backward),
)
WRONG = (variant("TODO: a name", {name}_backward=_forgetful_backward),)
'''


def _written(named: Sequence[Named]) -> str:
    """Shapes as prose has them: "x (N, D), w (D, M)"; "x any shape"."""
    return ", ".join(f"{each.name} {_shape(each)}".rstrip() for each in named)


def _shape(named: Named) -> str:
    if named.axes is None:
        return ""
    names = [
        "..." if axis.name == REST else f"{axis.count if axis.count > 1 or not axis.name else ''}{axis.name}"
        for axis in named.axes
    ]
    if names == ["..."]:
        return "any shape"
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _sizes(signature: Signature, numbers: Sequence[int]) -> str:
    """A number for every size, in the order of the shapes."""
    sizes = iter(numbers)
    return ", ".join(
        f"{name}=({next(sizes)}, {next(sizes)})" if name == REST else f"{name}={next(sizes)}" for name in signature.sizes
    )
