"""The claims of `training` and `broadcast_hunt`: all hold for references and variants, each mistake breaks one with its cause."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, cast

import pytest

from autograd_check.course.load import CourseLesson
from autograd_check.course.spec import Claim, Properties, Unanswered
from autograd_check.requests import Candidate
from solutions.u02_network import broadcast_hunt, training
from tests import support
from tests.solutions.asking import Asking, namespace

LESSONS: list[tuple[ModuleType, CourseLesson]] = [
    (module, support.lesson(module.__name__.rpartition(".")[2])) for module in (training, broadcast_hunt)
]


def claims(lesson: CourseLesson, space: dict[str, Any], seed: int) -> list[Claim]:
    """All claims up to the first that does not hold."""
    made = []
    for task in lesson.spec.tasks:
        assert isinstance(task, Properties)
        for prop in task.properties:
            try:
                made.append(prop.test(cast(Candidate, Asking(space)), seed))
            except Unanswered as unanswered:
                made.append(Claim(unanswered.args[0].says, unanswered.args[0].cause))
            if not made[-1].holds:
                return made
    return made


RIGHT = [
    pytest.param(module, lesson, functions, id=f"{lesson.spec.name}-{style}")
    for module, lesson in LESSONS
    for style, functions in [("reference", {}), *((v.name, v.functions) for v in lesson.spec.variants)]
]
WRONG = [
    pytest.param(module, lesson, mistake, id=f"{lesson.spec.name}-{mistake.name}")
    for module, lesson in LESSONS
    for mistake in lesson.spec.mistakes
]


def keeps_every_claim(module: ModuleType, lesson: CourseLesson, functions: Any, seeds: Iterable[int]) -> None:
    for seed in seeds:
        made = claims(lesson, namespace(module, functions), seed)
        assert [claim for claim in made if not claim.holds] == []
        assert len(made) == sum(len(task.properties) for task in lesson.spec.tasks if isinstance(task, Properties))


@pytest.mark.parametrize(("module", "lesson", "functions"), RIGHT)
def test_right_code_keeps_every_claim(module: ModuleType, lesson: CourseLesson, functions: Any) -> None:
    keeps_every_claim(module, lesson, functions, range(1))


def test_a_loss_by_logarithms_keeps_the_first_claim_with_every_seed() -> None:
    """log(1 - p) has no digits left where logits are large."""
    lesson = support.lesson("broadcast_hunt")
    (loops,) = (variant for variant in lesson.spec.variants if variant.name == "loops")
    asking = cast(Candidate, Asking(namespace(broadcast_hunt, loops.functions)))
    task = lesson.spec.tasks[0]
    assert isinstance(task, Properties)
    assert [seed for seed in range(40) if not task.properties[0].test(asking, seed).holds] == []


@pytest.mark.long
@pytest.mark.parametrize(("module", "lesson", "functions"), RIGHT)
def test_right_code_keeps_every_claim_with_more_seeds(module: ModuleType, lesson: CourseLesson, functions: Any) -> None:
    keeps_every_claim(module, lesson, functions, range(1, 8))


@pytest.mark.parametrize(("module", "lesson", "mistake"), WRONG)
def test_a_mistake_breaks_a_claim_with_its_cause(module: ModuleType, lesson: CourseLesson, mistake: Any) -> None:
    for seed in range(4):
        last = claims(lesson, namespace(module, mistake.functions, mistake.edit), seed)[-1]
        assert last.cause == mistake.cause, last
        assert last.says.endswith(".")
