"""Derivatives that are not derived by hand, in disguise: right gradients, and none of them may pass.

Each is a file in `disguises/`. What must hold: the lesson fails for the cause in the table. What is seen in the source is not
run here; the rest is graded in whole, as a class is. `make long` grades every file in whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from autograd_check.grade.grade import grade_lesson
from autograd_check.grade.honesty import rejected
from autograd_check.run.policy import violations
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Finding, Status
from tests import support

HERE = Path(__file__).parent / "disguises"

FORBIDDEN = {
    "cubic": """
        plain_tape getattr_by_parts getattr_as_a_value importlib dunder_import match_on_the_module match_on_an_alias
        alias_of_the_module module_in_a_list module_as_default module_passed_on module_in_a_closure module_in_a_class
        star_import c_engine c_engine_by_variable keyword_in_a_dict functorch func_vjp jacrev forward_mode
        function_class hooks compile jit homoglyphs exec eval_at_load globals function_globals sys_modules
        builtin_self tensor_class rebound_by_a_loop rebound_by_globals rebound_by_a_global rebound_by_a_walrus
        rebound_by_with rebound_code rebound_in_the_forward backward_in_the_cache tape_in_the_forward decorated
        own_class_with_the_tape setattr_on_torch patched_operator dual_numbers tensor_subclass
        torch_function_of_anything dispatch_mode no_dispatch function_mode ops_pow_backward
    """,
    "relu": """
        kernel_threshold_backward kernel_by_ops kernel_by_match kernel_by_private
    """,
    "softmax": """
        kernel_softmax_backward
    """,
}
"""By lesson: autograd, ready-made kernels, and functions that are not the ones that are written."""

NUMERIC = {
    "softplus": """
        central_differences one_sided_difference richardson five_points entry_by_entry all_entries_at_once stacked
        concatenated random_directions in_numpy in_python in_python_written_apart moved_in_the_forward
    """,
    "cubic": """
        complex_step complex_step_made complex_step_entry_by_entry complex_step_stacked complex_step_in_numpy
        complex_step_in_numpy_written_apart complex_step_in_python complex_step_in_python_written_apart
        large_steps_entry_by_entry
    """,
}
"""By lesson: finite differences and complex steps."""


EVERY = [
    (lesson, name, cause)
    for table, cause in ((FORBIDDEN, "forbidden_operation"), (NUMERIC, "numeric_differentiation"))
    for lesson, names in table.items()
    for name in names.split()
]


def causes_of(findings: Iterable[Finding]) -> set[str]:
    return {str(finding.diagnosis.cause) for finding in findings if finding.diagnosis and finding.status is Status.FAILED}


def graded_in_whole(zygote: Zygote, lesson: str, name: str, cause: str) -> None:
    source = (HERE / f"{name}.py").read_text(encoding="utf-8")
    record = grade_lesson(support.lesson(lesson), source, f"{name}.py", zygote=zygote)
    assert record.status is Status.FAILED
    assert cause in causes_of(record.findings)
    assert record.score < record.max_score


@pytest.mark.parametrize(("lesson", "name", "cause"), EVERY, ids=[name for _, name, _ in EVERY])
def test_a_disguise(zygote: Zygote, lesson: str, name: str, cause: str) -> None:
    spec = support.lesson(lesson).spec
    source = (HERE / f"{name}.py").read_text(encoding="utf-8")
    seen = violations(source, spec.functions, forbids=spec.forbids, allows=spec.allows)
    if not seen:
        graded_in_whole(zygote, lesson, name, cause)
        return
    findings = rejected(spec, seen)
    assert causes_of(findings) == {cause}
    assert all(finding.status is Status.FAILED for finding in findings)


@pytest.mark.long
@pytest.mark.parametrize(("lesson", "name", "cause"), EVERY, ids=[name for _, name, _ in EVERY])
def test_a_disguise_graded_in_whole(zygote: Zygote, lesson: str, name: str, cause: str) -> None:
    graded_in_whole(zygote, lesson, name, cause)


def test_the_same_zygote_grades_right_submissions_right(zygote: Zygote) -> None:
    for lesson in FORBIDDEN | NUMERIC:
        chosen = support.lesson(lesson)
        record = grade_lesson(chosen, chosen.reference_source(), f"{lesson}.py", zygote=zygote)
        assert (record.status, record.score) == (Status.PASSED, chosen.spec.points)


def test_the_tables_name_every_file() -> None:
    named = [name for table in (FORBIDDEN, NUMERIC) for names in table.values() for name in names.split()]
    assert sorted(named) == sorted(path.stem for path in HERE.glob("*.py"))
