"""Derivatives that are not derived by hand, in disguise: right gradients, and none of them may pass.

Each is a file in `disguises/`, graded in whole as a class is. What must hold: the lesson fails for the cause in the table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.grade.grade import grade_lesson
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Status
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


def fails_with(zygote: Zygote, lesson: str, name: str, cause: str) -> None:
    source = (HERE / f"{name}.py").read_text(encoding="utf-8")
    record = grade_lesson(support.lesson(lesson), source, f"{name}.py", zygote=zygote)
    causes = {str(finding.diagnosis.cause) for finding in record.findings if finding.diagnosis}
    assert record.status is Status.FAILED
    assert cause in causes
    assert record.score < record.max_score


@pytest.mark.parametrize(("lesson", "name"), [(lesson, name) for lesson, names in FORBIDDEN.items() for name in names.split()])
def test_autograd_and_kernels_in_disguise(zygote: Zygote, lesson: str, name: str) -> None:
    fails_with(zygote, lesson, name, "forbidden_operation")


@pytest.mark.parametrize(("lesson", "name"), [(lesson, name) for lesson, names in NUMERIC.items() for name in names.split()])
def test_numeric_differentiation_in_disguise(zygote: Zygote, lesson: str, name: str) -> None:
    fails_with(zygote, lesson, name, "numeric_differentiation")


def test_the_same_zygote_grades_right_submissions_right(zygote: Zygote) -> None:
    for lesson in FORBIDDEN | NUMERIC:
        chosen = support.lesson(lesson)
        record = grade_lesson(chosen, chosen.reference_source(), f"{lesson}.py", zygote=zygote)
        assert (record.status, record.score) == (Status.PASSED, chosen.spec.points)


def test_the_tables_name_every_file() -> None:
    named = [name for table in (FORBIDDEN, NUMERIC) for names in table.values() for name in names.split()]
    assert sorted(named) == sorted(path.stem for path in HERE.glob("*.py"))
