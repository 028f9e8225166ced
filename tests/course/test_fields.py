"""The table of a lesson's fields is in step with the lesson."""

from __future__ import annotations

from dataclasses import fields

from autograd_check.course.fields import FIELDS, misfit
from autograd_check.course.spec import Lesson


def test_every_field_of_a_lesson_has_a_kind() -> None:
    assert sorted(FIELDS) == sorted(field.name for field in fields(Lesson))
    assert all(misfit(name, object()).startswith(f"{name} must be ") for name in FIELDS)


def test_a_long_value_is_shown_in_part() -> None:
    assert misfit("points", "x" * 80) == f"points must be a whole number above 0: points=10, found '{'x' * 58}… (str)."
