"""The claims of `training` and `broadcast_hunt`: all hold for references and variants, each mistake breaks one with its cause."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any, cast

import pytest

from autograd_check.course.spec import Claim, Properties, Unanswered
from autograd_check.requests import Candidate
from solutions.u02_network import broadcast_hunt, training
from tests.solutions.asking import Asking, namespace

LESSONS = [training, broadcast_hunt]


def claims(module: ModuleType, space: dict[str, Any], seed: int) -> list[Claim]:
    """All claims up to the first that does not hold."""
    made = []
    for task in module.LESSON.tasks:
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
    pytest.param(module, functions, id=f"{module.LESSON.name}-{style}")
    for module in LESSONS
    for style, functions in [("reference", {}), *((v.name, v.functions) for v in module.LESSON.variants)]
]
WRONG = [
    pytest.param(module, mistake, id=f"{module.LESSON.name}-{mistake.name}")
    for module in LESSONS
    for mistake in module.LESSON.mistakes
]


def keeps_every_claim(module: ModuleType, functions: Any, seeds: Iterable[int]) -> None:
    for seed in seeds:
        made = claims(module, namespace(module, functions), seed)
        assert [claim for claim in made if not claim.holds] == []
        assert len(made) == sum(len(task.properties) for task in module.LESSON.tasks)


@pytest.mark.parametrize(("module", "functions"), RIGHT)
def test_right_code_keeps_every_claim(module: ModuleType, functions: Any) -> None:
    keeps_every_claim(module, functions, range(1))


@pytest.mark.long
@pytest.mark.parametrize(("module", "functions"), RIGHT)
def test_right_code_keeps_every_claim_with_more_seeds(module: ModuleType, functions: Any) -> None:
    keeps_every_claim(module, functions, range(1, 8))


@pytest.mark.parametrize(("module", "mistake"), WRONG)
def test_a_mistake_breaks_a_claim_with_its_cause(module: ModuleType, mistake: Any) -> None:
    for seed in range(4):
        last = claims(module, namespace(module, mistake.functions, mistake.edit), seed)[-1]
        assert last.cause == mistake.cause, last
        assert last.says.endswith(".")
