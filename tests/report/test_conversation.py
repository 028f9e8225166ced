"""A conversation in `watch` without a terminal: what comes late, and what is said meanwhile."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from rich.text import Text

from autograd_check.course.load import Course
from autograd_check.report.conversation import LATER, SOON, Answer, Conversation, Job
from autograd_check.report.screen import lines_of
from tests.toy import make_course


def begun(folder: Path) -> tuple[Conversation, list[Job]]:
    """A conversation about the first of two lessons, and the jobs that it has given."""
    course = Course.load(make_course(folder / "course", stubs=True))
    jobs: list[Job] = []
    return Conversation(cast(Any, SimpleNamespace(course=course)), course.outline.lessons[0], jobs.append), jobs


def body(conversation: Conversation) -> str:
    return conversation.frame(80, 24).body.plain


def test_a_text_that_comes_late_does_not_take_the_list_from_who_types(tmp_path: Path) -> None:
    conversation, jobs = begun(tmp_path)
    conversation.press("d")
    conversation.press("l")
    conversation.hear(jobs[-1], Answer(body=Text("dx = 2 g")))
    conversation.press("r")
    assert "search: r_" in body(conversation)
    conversation.press("escape")
    assert body(conversation) == "dx = 2 g"
    conversation.press("l")
    conversation.press("escape")
    assert "dx = 2 g" not in body(conversation)


def test_a_text_that_comes_late_waits_for_an_answer(tmp_path: Path) -> None:
    conversation, jobs = begun(tmp_path)
    conversation.press("d")
    conversation.press("r")
    conversation.hear(jobs[-1], Answer(body=Text("dx = 2 g")))
    assert conversation.frame(80, 24).news == "Put the empty stub of double back? u undoes it."
    conversation.press("n")
    assert body(conversation) == "dx = 2 g"


def test_nobody_scrolls_beyond_the_end(tmp_path: Path) -> None:
    conversation, jobs = begun(tmp_path)
    conversation.press("d")
    conversation.hear(jobs[-1], Answer(body=Text("\n".join(f"line {number}" for number in range(40)))))
    for _ in range(9):
        conversation.press("page down")
        conversation.frame(80, 24)
    shown = "\n".join(line.plain for line in lines_of(conversation.frame(80, 24), 80, 24))
    assert "line 39\n(arrow up goes back)" in shown
    conversation.press("up")
    assert "line 38\n... 1 more line (arrow down)" in "\n".join(
        line.plain for line in lines_of(conversation.frame(80, 24), 80, 24)
    )


def test_what_is_done_first_is_said(tmp_path: Path) -> None:
    conversation, jobs = begun(tmp_path)
    conversation.press("c")
    assert conversation.frame(80, 24).news == "checking double ..."
    conversation.hear(jobs[0], Answer())
    assert conversation.frame(80, 24).news == "checking 1 of 2: double ..."
    conversation.press("n")
    assert conversation.frame(80, 24).news == "checking quadruple ..."
    assert [job.urgency for job in jobs] == [SOON, LATER, LATER, SOON]


def test_a_text_is_broken_anew_on_a_screen_of_another_size(tmp_path: Path) -> None:
    conversation, _ = begun(tmp_path)
    conversation.press("h")
    wide, narrow = (conversation.frame(width, 24).body.plain for width in (80, 24))
    assert wide.split() == narrow.split()
    assert max(map(len, narrow.splitlines())) <= 24 < max(map(len, wide.splitlines()))


def test_a_key_that_means_nothing_is_answered(tmp_path: Path) -> None:
    conversation, jobs = begun(tmp_path)
    conversation.hear(jobs[0], Answer())
    conversation.press("?")
    assert conversation.frame(80, 24).news == "? is no key here. Those that are stand below."
