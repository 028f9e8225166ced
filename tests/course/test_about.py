"""The version of the vocabulary that a course is written in: stated, held to, and explained where it is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.about import CHANGES, VOCABULARY, stated_vocabulary
from autograd_check.course.load import Course
from autograd_check.errors import CourseError
from tests import support
from tests.toy import make_course


def test_this_course_states_its_version() -> None:
    assert stated_vocabulary(support.ROOT) == VOCABULARY
    assert sorted(CHANGES) == list(range(1, VOCABULARY + 1))


def test_a_course_that_states_none_is_read_as_it_is(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    assert stated_vocabulary(root) is None
    assert Course.load(root).lesson("double").spec.points == 4


def test_a_course_that_states_one_is_held_to_it(tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "solutions" / "about.toml").write_text("vocabulary = 1\n")
    with pytest.raises(CourseError) as raised:
        Course.load(root).lesson("double")
    said = str(raised.value).splitlines()
    assert said[0].startswith("solutions/u01_toys/double.py:1: there is no prose: begin the file with a docstring")
    assert "solutions/u01_toys/double.py:32: double has only the probes that every layer has" in said[1]
    assert "solutions/u01_toys/double.py:34: 1 mistake, and a lesson has at least 3: add edit(" in said[2]
    assert "no variants, and a lesson has at least 2" in said[3]
    assert "2 hints, and a lesson has 3" in said[4]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("vocabulary = 9\n", "written in version 9 of the vocabulary, and this program speaks 1: install a newer autograd-check"),
        ("vocabulary = 0\n", r"speaks 1. Change: Pair\(...\) is Layer\(.* Then write: vocabulary = 1"),
        ("vocabulary = 'one'\n", "solutions/about.toml:1: vocabulary must be a whole number; write: vocabulary = 1"),
        ("title = 'x'\n", "vocabulary must be a whole number"),
        (
            "vocabulary = 1\ntitel = 2\n[units]\nu9 = 'x'\n",
            "it says titel, units, which means nothing there; it holds: vocabulary = 1",
        ),
        ("vocabulary 1\n", "solutions/about.toml cannot be read .*It should hold: vocabulary = 1"),
    ],
)
def test_another_version_is_told_what_to_do(text: str, says: str, tmp_path: Path) -> None:
    root = make_course(tmp_path)
    (root / "solutions" / "about.toml").write_text(text)
    with pytest.raises(CourseError, match=says):
        Course.load(root).lesson("double")
