"""Other right ways to write a lesson, and whole functions that go wrong: `solutions/variants/uNN_UNIT/NAME.py`.

They test the grader and not the student, so they stand beside the lesson and not in it. Such a file has

    VARIANTS = (variant("python numbers", square_forward=..., square_backward=...), ...)
    WRONG = (variant("return inside the loop", square_backward=...), ...)

where every name in `WRONG` is that of a `wrong(name, cause)` among the lesson's mistakes.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograd_check.course.spec import Lesson, Mistake, Variant
from autograd_check.errors import CourseError

FOLDER = "variants"


def variants_file(solution: Path) -> Path:
    """Where the variants of a solution file stand, if it has any."""
    return solution.parents[1] / FOLDER / solution.parent.name / solution.name


def with_variants(spec: Lesson, variants: Sequence[Variant], wrong: Sequence[Variant], where: str) -> Lesson:
    """The lesson with its variants and the functions of its `wrong(...)` mistakes.

    Raises `CourseError` where a mistake has no functions, or functions are no mistake.
    """
    functions = {each.name: each.functions for each in wrong}
    wanted = [known.name for known in spec.mistakes if known.elsewhere]
    for name in wanted:
        if name not in functions:
            raise CourseError(f"wrong({name!r}) has no functions: add variant({name!r}, ...) to WRONG in {where}.")
    for name in functions:
        if name not in wanted:
            raise CourseError(f"{where}: WRONG has {name!r}, and the lesson's mistakes do not: add wrong({name!r}, Cause....).")
    for each in (*variants, *wrong):
        for name in each.functions:
            if name not in spec.functions:
                raise CourseError(f"{where}: {each.name!r} defines {name}, and the lesson asks for {', '.join(spec.functions)}.")
    mistakes = tuple(replace(known, functions=functions[known.name]) if known.elsewhere else known for known in spec.mistakes)
    return replace(spec, variants=(*spec.variants, *variants), mistakes=mistakes)


def check_edits(spec: Lesson, source: str, where: str) -> None:
    """Refuse a mistake whose edit is not in the reference. Raises `CourseError` with its line."""
    head = source.partition("### BEGIN SPEC")[0]
    for known in spec.mistakes:
        if known.edit is not None and known.edit[0] not in head:
            line = _line(source, known)
            raise CourseError(
                f"{where}:{line}: mistake {known.name!r} edits {known.edit[0]!r}, which does not occur in the reference: "
                "write the text as it stands there."
            )


def _line(source: str, known: Mistake) -> int:
    """The line in which a mistake's name is written; 1 where it is not written out."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and node.value == known.name:
            return node.lineno
    return 1


def listed(module: Any, name: str) -> tuple[Variant, ...]:
    """`VARIANTS` or `WRONG` of a file of variants; none where it is not there."""
    return tuple(getattr(module, name, ()))
