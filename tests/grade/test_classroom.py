"""One run over a class, and the next: nothing lost, nothing doubled, nothing graded again that did not change."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograd_check.course.load import Course
from autograd_check.course.outline import read_outline
from autograd_check.errors import AutogradCheckError, CourseError, SubmissionError
from autograd_check.grade.classroom import Plan, Run, override
from autograd_check.grade.gradebook.publish import Summary
from autograd_check.grade.jobs import Job
from autograd_check.grade.pool import Workshop, require_confinement
from autograd_check.grade.session import Session
from autograd_check.run.confine import Isolation
from autograd_check.run.zygote import Zygote
from tests.grade.crew import Here, Lent
from tests.toy import QUADRUPLE, RIGHT, WRONG, make_course

HALF = 2.2
"""Of 4 points for a right forward and a wrong gradient: half of nine tenths, and the tenth for conventions."""

CRASHES = "import os\nos._exit(3)\n"
STUB = "def double_forward(x):\n    raise NotImplementedError('double_forward: write it')\n\n\ndef double_backward(dout, cache):\n    raise NotImplementedError('x')\n"
LATER = QUADRUPLE.split("### BEGIN SPEC")[0].replace("solutions.", "lessons.")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_course(tmp_path_factory.mktemp("toy") / "course", stubs=True)


class Class:
    """A folder of submissions, and runs over it."""

    def __init__(self, root: Path, folder: Path, zygote: Zygote) -> None:
        self.root, self.folder, self.zygote = root, folder, zygote
        self.out = folder.parent / "graded"
        self.jobs: list[Job] = []

    def hand_in(self, **files: str | None) -> None:
        """`ada="text"` is ada's double.py; None takes it away."""
        for student, text in files.items():
            path = self.folder / student / "double.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)

    def run(self, lessons: str = "double", told: Callable[[Job], None] = lambda job: None, **plan: Any) -> Summary:
        outline = read_outline(self.root)
        crew = Here(self.root, self.zygote, told)
        with Run.open(outline, Plan(self.folder, self.out, [lessons] if lessons else [], **plan)) as run:
            for _ in run.grade(crew):
                pass
            self.jobs = crew.done
            return run.finish()

    def records(self) -> dict[str, Any]:
        lines = [json.loads(line) for line in (self.out / "records.jsonl").read_text().splitlines()]
        assert len({line["submission"] for line in lines}) == len(lines)
        return {line["submission"]: line for line in lines}

    def grades(self) -> list[dict[str, str]]:
        with (self.out / "grades.csv").open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))


@pytest.fixture
def group(root: Path, tmp_path: Path, zygote: Zygote) -> Class:
    return Class(root, tmp_path / "submissions", zygote)


def test_a_class(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG, cy=STUB, dora=CRASHES, eve="def double_forward(x:\n", fay="", gil=RIGHT, hal="")
    (group.folder / "hal" / "double.py").unlink()
    (group.folder / "roster.csv").write_text(
        "student,name,email\n" + "".join(f"{s},,\n" for s in ["gil", "fay", "eve", "dora", "cy", "ben", "ada", "hal", "ida"])
    )
    summary = group.run()
    records = group.records()
    assert list(records) == ["ada", "ben", "cy", "dora", "eve", "fay", "gil", "hal", "ida"]
    assert {student: record["status"] for student, record in records.items()} == {
        "ada": "passed",
        "ben": "failed",
        "cy": "todo",
        "dora": "failed",
        "eve": "failed",
        "fay": "failed",
        "gil": "passed",
        "hal": "missing",
        "ida": "missing",
    }
    assert records["fay"]["lessons"][0]["findings"][0]["message"] == "fay/double.py is empty"
    assert "SyntaxError" in records["eve"]["lessons"][0]["findings"][0]["message"]
    assert (records["hal"]["lessons"][0]["status"], records["hal"]["score"], records["hal"]["max_score"]) == ("missing", 0, 4)
    assert set(records["ada"]) >= {"submission", "status", "score", "max_score", "isolation", "seconds", "lessons"}
    assert len(group.jobs) == 5  # ada's and gil's file is one, fay's cannot be read
    table = {row["student"]: (row["double"], row["total"]) for row in group.grades()}
    assert table["ada"] == ("4", "4")
    assert table["ida"] == ("", "0")
    assert table["fay"] == ("0", "0")
    assert summary.lessons["double"].statuses == {"passed": 2, "failed": 4, "todo": 1, "missing": 2}
    assert summary.causes["double", "constant_factor"] == 1
    assert [(lesson, count, first) for lesson, count, first in summary.same_files] == [("double", 2, ["ada", "gil"])]


def test_code_that_is_nested_too_deep_is_a_record(group: Class) -> None:
    group.hand_in(ada="-" * 200_000 + "1\n", ben="(" * 5000, cy="x = " + "[" * 150 + "]" * 150 + f"\n{RIGHT}")
    group.run()
    found = {student: record["lessons"][0] for student, record in group.records().items()}
    assert all(lesson["score"] == 0 for student, lesson in found.items() if student != "cy")
    assert all(finding["message"] for lesson in found.values() for finding in lesson["findings"])
    assert {lesson["status"] for lesson in found.values()} <= {"failed", "error", "passed"}


def test_the_same_file_gives_the_same_findings_and_score_as_check(group: Class, tmp_path: Path) -> None:
    group.hand_in(ben=WRONG)
    group.run()
    (tmp_path / "double.py").write_text(WRONG)
    checked = Session(Course.load(group.root), group.zygote).grade_file("double", tmp_path / "double.py", "double.py").to_dict()
    (lesson,) = group.records()["ben"]["lessons"]
    assert lesson == {**checked, "file": "ben/double.py"}


def test_only_what_changed_is_graded_again_and_differences_are_told(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG, cy=STUB)
    assert group.run().differences == ()
    assert group.run().differences == ()
    assert group.jobs == []
    group.hand_in(ben=RIGHT, cy=None, dora=RIGHT)
    told = {one.student: (one.before, one.after, one.why) for one in group.run().differences}
    assert told == {"ben": (("failed", HALF), ("passed", 4.0), "file"), "cy": (("todo", 0.0), ("missing", 0.0), "file")}
    assert group.jobs == []  # ada's result is that of ben's and dora's file
    assert group.run().differences == ()


def test_another_specification_regrades_its_lesson(group: Class, tmp_path: Path) -> None:
    group.root = make_course(tmp_path / "own course")
    group.hand_in(ada=RIGHT, ben=WRONG)
    group.run()
    solution = group.root / "solutions" / "u01_toys" / "double.py"
    text = solution.read_text().replace("lambda x: x + x,", "lambda x: 3 * x,").replace("3 * dout", "4 * dout")
    solution.write_text(text.replace("2 * x\n    return", "3 * x\n    return").replace("2 * dout", "3 * dout"))
    told = {one.student: (one.before[0], one.after[0], one.why) for one in group.run().differences}
    assert len(group.jobs) == 2
    assert told["ada"] == ("passed", "failed", "lesson")


def test_a_run_that_was_stopped_goes_on_and_still_tells_the_differences(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG, cy=STUB)
    group.run()
    group.hand_in(ada=f"{RIGHT}\na = 1\n", ben=f"{RIGHT}\nb = 1\n", cy=f"{RIGHT}\nc = 1\n")

    class Stopped(BaseException):
        pass

    seen: list[Job] = []

    def stop(job: Job) -> None:
        seen.append(job)
        if len(seen) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        group.run(told=stop)
    assert group.records()["ben"]["status"] == "failed"  # what is written is whole, and of the run before
    summary = group.run()
    assert 1 <= len(group.jobs) <= 3
    assert {one.student: one.after for one in summary.differences} == {"ben": ("passed", 4.0), "cy": ("passed", 4.0)}


def test_what_a_lost_worker_had_is_given_out_again(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG, cy=STUB)
    lost: list[str] = []

    def lose(job: Job) -> None:
        if job.source == WRONG and len(lost) < 3:
            lost.append(job.key)
            raise BrokenPipeError

    group.run(told=lose)
    assert len(lost) == 3
    assert {student: record["status"] for student, record in group.records().items()} == {
        "ada": "passed",
        "ben": "failed",
        "cy": "todo",
    }


def test_a_file_that_no_worker_survives_is_a_record_too(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG)

    def die(job: Job) -> None:
        if job.source == WRONG:
            raise BrokenPipeError

    group.run(told=die)
    records = group.records()
    assert records["ada"]["status"] == "passed"
    (lesson,) = records["ben"]["lessons"]
    assert (lesson["status"], lesson["score"]) == ("error", 0)
    says = "the checker itself failed on this file (BrokenPipeError in each of 5 workers); please report it"
    assert lesson["findings"][0]["message"] == says


def test_a_zygote_that_was_lost_is_nobodys_answer(group: Class) -> None:
    group.hand_in(ada=RIGHT)
    calls: list[str] = []
    crew = Here(group.root, group.zygote)

    class Losing:
        """Grades wrongly, and was started anew meanwhile; then as it should be."""

        starts = 1

        def grade_source(self, *given: Any) -> Any:
            calls.append("graded")
            self.starts += len(calls) == 1
            return Session(Course.load(group.root), group.zygote).grade_source(*given)

    losing: Any = Losing()
    crew._workshop = Workshop(losing, losing)
    with Run.open(read_outline(group.root), Plan(group.folder, group.out, ["double"])) as run:
        assert [one.status for one in run.grade(crew)] == ["passed"]
    assert len(calls) == 2


def test_own_earlier_lessons_are_used_where_they_pass(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG)
    for student in ("ada", "ben"):
        (group.folder / student / "quadruple.py").write_text(LATER)
    group.run("double,quadruple")
    borrowed = {student: record["lessons"][1]["borrowed"] for student, record in group.records().items()}
    assert borrowed == {"ada": [], "ben": ["double"]}
    assert [record["score"] for record in group.records().values()] == [14, 10 + HALF]
    group.hand_in(ben=RIGHT)
    group.run("double,quadruple")
    assert group.records()["ben"]["lessons"][1]["borrowed"] == []


def test_weights_and_lateness(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG)
    (group.folder / "assignment.toml").write_text("due = 2026-03-06T12:00:00\n[lessons]\ndouble = 20\nquadruple = 5\n")
    (group.folder / "roster.csv").write_text(
        "student,name,email,submitted\nada,=Ada(),a@x,2026-03-06T12:00:01\nben,Ben,b@x,2026-03-06T11:59:59\n"
    )
    summary = group.run("")
    records = group.records()
    assert (records["ada"]["score"], records["ada"]["max_score"], records["ada"]["late"]) == (20, 25, True)
    assert (records["ben"]["score"], records["ben"]["late"], records["ben"]["status"]) == (5 * HALF, False, "failed")
    assert summary.late == 1
    assert group.grades()[0] == {
        "student": "ada",
        "name": "'=Ada()",
        "email": "a@x",
        "double": "20",
        "quadruple": "",
        "total": "20",
    }


def test_an_override_survives_regrading(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG)
    group.run()
    outline = read_outline(group.root)
    override(group.out, outline, "ben", "double", 3.5, " explained in person ")
    group.hand_in(ben=f"{WRONG}\nagain = 1\n")
    summary = group.run()
    record = group.records()["ben"]
    assert (record["score"], summary.overridden) == (3.5, 1)
    assert record["lessons"][0]["override"]["why"] == "explained in person"
    assert group.grades()[1]["total"] == "3.5"
    for wrong, says in (
        (("bn", "double", 1.0, "x"), "There is no student 'bn' in this class. Did you mean ben?"),
        (("ben", "quadruple", 1.0, "x"), "'quadruple' is not assigned in this class: double are."),
        (("ben", "double", -1.0, "x"), "expected points of at least 0, got -1."),
        (("ben", "double", float("nan"), "x"), "expected points of at least 0, got nan."),
        (("ben", "double", 1.0, " "), "expected a reason: --why TEXT. It is kept with the points."),
    ):
        with pytest.raises(SubmissionError) as raised:
            override(group.out, outline, *wrong)
        assert str(raised.value) == says


def test_a_key_file_draws_other_probes_and_is_made_for_its_owner(group: Class, tmp_path: Path) -> None:
    group.hand_in(ben=WRONG)
    group.run()
    known = group.records()["ben"]["lessons"][0]["findings"]
    key = tmp_path / "key"
    assert group.run(key_file=key).secret
    assert key.stat().st_mode & 0o077 == 0
    drawn = group.records()["ben"]["lessons"][0]["findings"]
    assert [finding["status"] for finding in drawn] == [finding["status"] for finding in known]
    assert [finding["mismatch"] for finding in drawn] != [finding["mismatch"] for finding in known]
    group.run(key_file=key)
    assert group.jobs == []
    key.write_text("short")
    with pytest.raises(SubmissionError, match="holds 5 bytes; expected a key of at least 16"):
        group.run(key_file=key)


def test_who_is_gone_is_kept_but_not_listed(group: Class) -> None:
    group.hand_in(ada=RIGHT, ben=WRONG)
    group.run()
    for path in (group.folder / "ben" / "double.py", group.folder / "ben"):
        path.unlink() if path.is_file() else path.rmdir()
    assert group.run().former == 1
    assert list(group.records()) == ["ada"]


def test_two_runs_at_once_are_refused(group: Class) -> None:
    group.hand_in(ada=RIGHT)
    with Run.open(read_outline(group.root), Plan(group.folder, group.out, ["double"])), pytest.raises(SubmissionError) as raised:
        group.run()
    assert str(raised.value).endswith("is being written by another run; wait for it, or name another folder.")


def test_a_store_that_is_none_is_refused(group: Class) -> None:
    group.hand_in(ada=RIGHT)
    group.out.mkdir()
    (group.out / "store.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(SubmissionError, match="cannot be used as the store of a class: file is not a database"):
        group.run()


def test_a_folder_without_submissions(group: Class) -> None:
    group.folder.mkdir()
    with pytest.raises(SubmissionError, match="holds no submissions"):
        group.run()
    (group.folder / "ada").mkdir()
    with pytest.raises(SubmissionError, match="no file is a lesson of .*; name the assigned lessons with --lessons"):
        group.run("")


def test_below_the_first_layer_a_class_is_refused() -> None:
    class Bare:
        confinement = Isolation(())
        isolation = "trusted code only"

    bare: Any = Bare()
    with pytest.raises(AutogradCheckError) as raised:
        require_confinement(bare, allow_unsandboxed=False)
    assert str(raised.value).startswith("students' code cannot be confined here (trusted code only), so a class is not graded:")
    require_confinement(bare, allow_unsandboxed=True)


def test_lessons_that_cannot_be_graded_are_told_before_the_first_file(
    tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_course(tmp_path / "own course")
    for name in ("double", "quadruple"):
        with (root / "solutions" / "u01_toys" / f"{name}.py").open("a") as file:
            file.write("LESSON = 3\n")
    monkeypatch.setattr("autograd_check.run.zygote.Zygote", lambda **_: Lent(zygote))
    setup = Plan(tmp_path, tmp_path / "graded").setup(read_outline(root), ("double", "quadruple"))
    with pytest.raises(CourseError) as raised:
        Workshop.open(setup)
    where = "solutions/u01_toys"
    says = "expected LESSON to be a Lesson, found int."
    assert str(raised.value) == f"{where}/double.py: {says}\n{where}/quadruple.py: {says}"
