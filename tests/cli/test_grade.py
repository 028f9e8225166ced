from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from autograd_check.grade.jobs import Job
from autograd_check.run.zygote import Zygote
from tests.cli.running import Program
from tests.grade.crew import Here, Lent, here
from tests.toy import RIGHT, WRONG


@pytest.fixture
def submissions(program: Program, course: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class of three, graded in this process."""
    monkeypatch.setattr("autograd_check.grade.pool.LocalPool", here(zygote))
    monkeypatch.setattr("autograd_check.run.zygote.Zygote", lambda **_: Lent(zygote))
    folder = course.parent / "submissions"
    for student, text in {"ada": RIGHT, "ben": WRONG, "Zoë Müller (2)": "\0"}.items():
        (folder / student).mkdir(parents=True)
        (folder / student / "double.py").write_text(text)
    return folder


SUMMARY = """\
lesson  passed  failed  mean points
double       1       2  2.07 of 4

What went wrong, by the first finding that failed:
    1  double: The file cannot be read. (unreadable)
    1  double: Every entry is off by one and the same factor. (constant_factor)

3 submissions.
"""


def test_a_class_in_words(program: Program, submissions: Path) -> None:
    ran = program("grade", str(submissions), "--out", "graded", "--lessons", "double")
    assert ran.code == 0, ran.err
    assert ran.out.startswith(SUMMARY)
    assert "Isolation of 2 submissions: own process" in ran.out
    assert "Isolation of 1 submission: not run: nothing that can be read was handed in." in ran.out
    assert ran.out.endswith(
        "Probes: those of `check`, which students can run; --key-file draws secret ones.\n"
        "Written: graded/grades.csv, graded/records.jsonl\n"
    )
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    (submissions / "ben" / "double.py").write_text(RIGHT)
    ran = program("grade", str(submissions), "--out", "graded", "--lessons", "double", "--key-file", "key")
    assert "2 results changed" not in ran.out
    assert "1 result changed since the last run:\n  ben · double: failed 2.2 → passed 4 (another file and key)\n" in ran.out
    assert "The very same file was handed in by:\n  double: ada, ben\n" in ran.out
    assert "Probes: drawn with the secret key." in ran.out


def test_other_formats(program: Program, submissions: Path) -> None:
    ran = program("grade", str(submissions), "--out", "graded", "--format", "csv")
    assert ran.out == "student,name,email,double,total\nZoë Müller (2),,,0,0\nada,,,4,4\nben,,,2.2,2.2\n"
    report = json.loads(program("grade", str(submissions), "--out", "graded", "--format", "json").out)
    assert (report["schema"], report["students"]) == (1, 3)
    assert report["lessons"] == [{"lesson": "double", "max_score": 4, "mean": 2.07, "statuses": {"failed": 2, "passed": 1}}]
    assert {(one["lesson"], one["cause"], one["students"]) for one in report["causes"]} == {
        ("double", "constant_factor", 1),
        ("double", "unreadable", 1),
    }


def test_ctrl_c_leaves_a_store_that_the_same_command_resumes(
    program: Program, submissions: Path, zygote: Zygote, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Job] = []

    def interrupt(job: Job) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(job)

    crew = [Here(course, zygote, interrupt, batch=1)]
    crew[0].window = 1
    monkeypatch.setattr("autograd_check.grade.pool.LocalPool", lambda setup, jobs: crew[0])
    ran = program("grade", str(submissions), "--out", "graded")
    assert ran.code == 130
    assert ran.err == "Stopped. What was graded is kept in graded; the same command goes on from there.\n"
    rest: list[Job] = []
    crew[0] = Here(course, zygote, rest.append)
    ran = program("grade", str(submissions), "--out", "graded")
    assert ran.code == 0
    assert {job.key for job in rest}.isdisjoint(job.key for job in done)
    assert len(rest) == 1
    assert len((course / "graded" / "records.jsonl").read_text().splitlines()) == 3


def test_points_by_hand_and_what_the_student_would_see(program: Program, submissions: Path, course: Path) -> None:
    program("grade", str(submissions), "--out", "graded")
    ran = program("override", "graded", "ben", "double", "3", "--why", "talked it over")
    assert (ran.code, ran.out) == (0, "ben · double: 3 points by hand. graded/grades.csv is written anew.\n")
    assert "ben,,,3,3" in (course / "graded" / "grades.csv").read_text()
    ran = program("override", "graded", "ben", "double", "9", "--why", "a bonus")
    assert ran.out.startswith("ben · double: 9 points by hand, more than the 4 that the lesson has.\n")
    program("override", "graded", "ben", "double", "3", "--why", "talked it over")
    ran = program("regrade", "graded", "ben", "double", "-v")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("double · failed · 2.2 of 4 points · double.py\n")
    assert "keeps float32: as it should be" in ran.out
    assert ran.out.endswith("\nAs before.\n")
    solution = course / "solutions" / "u01_toys" / "double.py"
    solution.write_text(solution.read_text().replace("points=4", "points=8"))
    assert program("regrade", "graded", "ben", "double").out.endswith("\nBefore: failed, 2.2 points.\n")
    assert "ben,,,3,3" in (course / "graded" / "grades.csv").read_text()
    ran = program("regrade", "graded", "Zoë Müller (2)", "double")
    assert ran.code == 2
    says = "There is nothing to grade for double of Zoë Müller (2): Zoë Müller (2)/double.py holds zero bytes"
    assert says in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("grade", "nowhere", "--out", "g"), "nowhere does not exist: expected a folder with a folder for each student"),
        (("grade", "SUBMISSIONS", "--out", "g", "--lessons", "duble"), "There is no lesson named 'duble'"),
        (("grade", "SUBMISSIONS", "--out", "g", "--lessons", "double=x"), "expected LESSON=POINTS with points of at least 0"),
        (("grade", "SUBMISSIONS", "--out", "g", "--roster", "nowhere.csv"), "nowhere.csv cannot be read: No such file"),
        (("grade", "SUBMISSIONS", "--out", "lessons"), "lessons is part of the course in "),
        (("grade", "SUBMISSIONS", "--out", "solutions/g"), "solutions/g is part of the course in "),
        (("grade", "SUBMISSIONS", "--out", "README.md"), "README.md cannot be written to: "),
        (("override", "nowhere", "ada", "double", "1", "--why", "x"), "nowhere holds no graded class: expected store.sqlite"),
        (("regrade", "nowhere", "ada", "double"), "nowhere holds no graded class: expected store.sqlite"),
    ],
)
def test_what_cannot_be_run_is_one_paragraph_and_exit_code_2(
    program: Program, submissions: Path, course: Path, arguments: tuple[str, ...], says: str
) -> None:
    (course / "README.md").write_text("a file")
    ran = program(*(str(submissions) if word == "SUBMISSIONS" else word for word in arguments))
    assert (ran.code, ran.out) == (2, "")
    assert says in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


@pytest.fixture
def archive(submissions: Path, tmp_path: Path) -> Path:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("ngmina_9001_4711_double.py", RIGHT)
        packed.writestr("../double.py", RIGHT)
    return path


def test_an_archive(program: Program, archive: Path, course: Path) -> None:
    ran = program("grade", str(archive), "--out", "graded", "--lessons", "u01_toys")
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in (course / "graded" / "records.jsonl").read_text().splitlines()]
    assert {line["submission"]: line["status"] for line in lines} == {"9001": "missing", "../double.py": "failed"}
    (stray,) = [line for line in lines if line["status"] == "failed"]
    assert stray["notes"] == ["../double.py leads out of its folder and is not read"]
