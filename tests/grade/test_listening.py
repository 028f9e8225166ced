"""What the code printed: of the first probe, once each, wherever it ran."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.session import Session
from autograd_check.run.zygote import Zygote
from tests.toy import RIGHT, make_course

TALKING = """print("loaded")
def double_forward(x):
    print("forward", tuple(x.shape))
    return x + x, None


def double_backward(dout, cache):
    print("backward", tuple(dout.shape))
    return dout + dout
"""
NOTE = (
    "breakpoint() does not stop here; to stop in your code: autograd-check check double --in-process "
    "(or: pytest lessons -k double)"
)


@pytest.fixture(params=["isolated", "in process"])
def session(request: pytest.FixtureRequest, tmp_path: Path, zygote: Zygote) -> Session:
    return Session(Course.load(make_course(tmp_path / "course")), zygote if request.param == "isolated" else None)


def graded(session: Session, source: str) -> LessonRecord:
    path = session.course.root / "anna.py"
    path.write_text(source)
    return session.grade_file("double", path)


def test_it_is_the_file_and_one_forward_and_backward_of_the_first_probe(session: Session) -> None:
    record = graded(session, TALKING)
    assert record.status == "passed"
    assert record.printed == "loaded\nforward (3,)\nbackward (3,)\n"
    assert record.to_dict()["printed"] == record.printed


def test_what_was_printed_before_a_crash_is_there(session: Session) -> None:
    record = graded(session, TALKING.replace("    return x + x, None", "    return x.nothing"))
    assert record.status == "failed"
    assert record.printed.startswith("loaded\nforward (3,)\n")
    assert graded(session, "print('first')\n1 / 0\n").printed == "first\n"


def test_what_prints_nothing_has_printed_nothing(session: Session) -> None:
    record = graded(session, RIGHT)
    assert (record.printed, record.notes) == ("", ())


@pytest.mark.parametrize("call", ["breakpoint()", "import pdb; pdb.set_trace()"])
def test_a_process_without_a_terminal_does_not_stop_and_says_how_to(tmp_path: Path, zygote: Zygote, call: str) -> None:
    session = Session(Course.load(make_course(tmp_path / "course")), zygote)
    record = graded(session, RIGHT.replace("    return dout", f"    {call}\n    return dout"))
    assert record.status == "passed"
    assert record.notes == (NOTE,)
    assert record.to_dict()["notes"] == [NOTE]
    assert graded(session, RIGHT + f"# {call}\n").notes == ()
