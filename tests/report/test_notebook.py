from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from autograd_check.errors import CourseError
from autograd_check.notebook import check, hint, progress
from tests.toy import make_course


def double_forward(x: Any) -> Any:
    return x + x, None


def double_backward(dout: Tensor, cache: Any) -> Any:
    return 3 * dout


def test_functions_of_a_cell_are_checked_as_the_lesson_that_asks_for_them(tmp_path: Path) -> None:
    report = check(double_forward, double_backward, course=make_course(tmp_path))
    assert report.record.status == "failed"
    assert repr(report).startswith("double · failed")
    html = report._repr_html_()
    assert '<span style="font-weight: bold; color: #cf222e">failed</span>' in html
    assert "3 of 3 entries differ" in html
    assert "<script" not in html
    assert html.count('<img alt="error map" src="data:image/png;base64,iVBOR') == 1


def test_what_is_right_needs_no_picture(tmp_path: Path) -> None:
    def double_backward(dout: Tensor, cache: Any) -> Any:
        return 2 * dout

    report = check(double_forward, double_backward, course=make_course(tmp_path))
    assert report.record.status == "passed"
    assert "<img" not in report._repr_html_()


def test_what_a_cell_printed_is_in_its_report(tmp_path: Path) -> None:
    def double_backward(dout: Tensor, cache: Any) -> Any:
        print("dout", tuple(dout.shape))
        return 2 * dout

    report = check(double_forward, double_backward, course=make_course(tmp_path))
    assert report.record.printed == "dout (3,)\n"
    assert "printed" in repr(report)
    assert "dout (3,)" in report._repr_html_()


def test_what_cannot_be_drawn_is_reported_without_a_picture(tmp_path: Path) -> None:
    def double_backward(dout: Tensor, cache: Any) -> Any:
        raise ZeroDivisionError("oh")

    report = check(double_forward, double_backward, course=make_course(tmp_path))
    assert report.record.status == "failed"
    assert report.maps == ()


def test_functions_are_taken_by_value(tmp_path: Path) -> None:
    course = make_course(tmp_path)
    report = check(lambda x: (2 * x, None), double_backward, course=course)
    assert {finding.subject for finding in report.record.findings if finding.status == "failed"} == {"dx"}

    def mine(x: Any) -> Any:
        return x + x, None

    def theirs(dout: Tensor, cache: Any) -> Any:
        return dout + dout

    assert check(mine, theirs, lesson="double", course=course).record.status == "passed"
    assert "double_backward is not defined" in repr(check(mine, lesson="double", course=course))
    with pytest.raises(CourseError, match="double asks for double_forward and double_backward; 3 functions were given"):
        check(mine, theirs, double_forward, course=course)


def test_progress_and_hints_are_shown_as_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    course = make_course(tmp_path, stubs=True)
    assert "0 of 2 done" in repr(progress(course))
    assert repr(hint("double", course)).startswith("double · hint 1 of 2\n  How fast does 2 x grow?")
    assert "hint 2 of 2" in hint("double", course)._repr_html_()
    monkeypatch.chdir(course / "lessons")
    assert "> open" in repr(progress())


def test_functions_of_no_lesson_are_answered_with_advice(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"No lesson asks for make_course\. Name the lesson: check\(\.\.\., lesson='linear'\)"):
        check(make_course, course=make_course(tmp_path))


def test_a_hint_may_be_asked_for_by_the_function_and_the_next_one_is_a_cell(tmp_path: Path) -> None:
    course = make_course(tmp_path, stubs=True)
    assert repr(hint(double_forward, course)).endswith("The next one: hint('double')")
    assert repr(hint(double_backward, course)).endswith("Closed forms of single entries: !autograd-check derive double")
    with pytest.raises(CourseError, match=r"^No lesson asks for make_course\. Name the lesson: hint\('linear'\)\.$"):
        hint(make_course, course)


@pytest.mark.parametrize(("given", "shown"), [("double", "'double'"), (3, "3")])
def test_what_is_no_function_is_answered_with_advice(tmp_path: Path, given: Any, shown: str) -> None:
    with pytest.raises(CourseError) as raised:
        check(given, double_forward, course=make_course(tmp_path))
    says = f"check takes functions, not {shown}. A lesson is named so: check(..., lesson='linear')."
    assert raised.value._render_traceback_() == [says]  # what IPython shows of it
