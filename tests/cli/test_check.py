from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_check.course.progress import Progress
from tests.cli.running import Program
from tests.toy import RIGHT, WRONG

STUB = "lessons/u01_toys/double.py"


def test_the_reference_passes(program: Program, course: Path) -> None:
    ran = program("check", "double", "--lessons", "solutions")
    assert ran.code == 0
    assert ran.out.startswith("double · passed · 4 of 4 points · solutions/u01_toys/double.py\n")
    assert "matches the definition (3 probes)" in ran.out  # the two of its specification, and one that is non-contiguous
    assert ran.out.endswith("\nNext lesson: quadruple\n")


def test_stubs_are_todo_and_not_passed(program: Program, course: Path) -> None:
    ran = program("check")
    assert ran.code == 1
    assert "double · todo · 0 of 4 points" in ran.out
    assert ran.out.endswith("2 todo · 0 of 14 points\n")


def test_a_lesson_that_cannot_be_loaded_keeps_none_of_the_others_from_being_checked(program: Program, course: Path) -> None:
    where = "solutions/u01_toys/quadruple.py"
    with (course / where).open("a") as file:
        file.write("LESSON = 3\n")
    ran = program("check", "double", "quadruple")
    assert ran.code == 1
    assert "double · todo · 0 of 4 points" in ran.out
    says = f"the lesson itself is at fault, not this file: {where}: expected LESSON to be a Lesson, found int. Whoever writes it"
    assert says in " ".join(ran.out.split())
    alone = program("check", "quadruple")
    assert (alone.code, alone.out) == (2, "")
    assert f"{where}: expected LESSON to be a Lesson, found int." in " ".join(alone.err.split())


def test_a_stub_that_is_gone_says_how_it_comes_back(program: Program, course: Path) -> None:
    (course / STUB).unlink()
    ran = program("check", "double")
    assert ran.code == 1
    assert f"{STUB} does not exist: its stub comes with autograd-check reset double" in " ".join(ran.out.split())
    assert program("reset", "double", "--yes").code == 0
    assert "double · todo" in program("check", "double").out


def test_a_mistake_is_explained(program: Program, course: Path) -> None:
    (course / STUB).write_text(WRONG)
    ran = program("check", "double")
    assert ran.code == 1
    assert "double · failed" in ran.out
    assert "failed   dx" in ran.out
    assert "3 of 3 entries differ" in ran.out
    assert "A hint: autograd-check hint double" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert "\x1b" not in ran.out


def test_json_has_the_documented_schema(program: Program, course: Path) -> None:
    (course / STUB).write_text(WRONG)
    ran = program("check", "double", "--format", "json")
    report = json.loads(ran.out)
    assert report["schema"] == 1
    (lesson,) = report["lessons"]
    assert {"lesson", "file", "status", "score", "max_score", "findings"} <= set(lesson)
    failed = next(finding for finding in lesson["findings"] if finding["status"] == "failed")
    assert {"check", "subject", "probe", "status", "message", "mismatch", "diagnosis"} <= set(failed)
    assert set(failed["mismatch"]) == {"wrong", "total", "index", "got", "expected", "relative_error"}
    assert set(failed["diagnosis"]) == {"cause", "says", "evidence", "source"}
    assert failed["mismatch"]["got"] == pytest.approx(1.5 * failed["mismatch"]["expected"])


def test_each_of_many_files_is_an_entry_of_its_own(program: Program, course: Path, tmp_path: Path) -> None:
    contents: dict[str, bytes] = {
        "right.py": RIGHT.encode(),
        "wrong.py": WRONG.encode(),
        "syntax.py": b"def double_forward(x:\n",
        "binary.py": b"\x7fELF\xff\xfe",
        "zeros.py": b"x = 1\0\n",
        "empty.py": b" \n",
        "exits.py": b"import sys\nsys.exit(0)\n",
        "big.py": b"#" * (2**20 + 1),
    }
    paths = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        paths.append(str(tmp_path / name))
    folder = tmp_path / "folder.py"
    folder.mkdir()
    ran = program("check", "double", "--file", *paths, str(tmp_path / "missing.py"), str(folder), "--format", "json")
    assert ran.code == 1
    entries = {Path(entry["file"]).name: entry for entry in json.loads(ran.out)["lessons"]}
    assert list(entries) == [*contents, "missing.py", "folder.py"]
    assert {name: entry["status"] for name, entry in entries.items()} == {
        **dict.fromkeys(entries, "failed"),
        "right.py": "passed",
    }
    said = {name: " ".join(finding["message"] for finding in entry["findings"]) for name, entry in entries.items()}
    assert "SyntaxError" in said["syntax.py"]
    assert "is not text in UTF-8 (byte 4)" in said["binary.py"]
    assert "holds zero bytes" in said["zeros.py"]
    assert "is empty" in said["empty.py"]
    assert "is larger than 1 MiB" in said["big.py"]
    assert "does not exist" in said["missing.py"]
    assert "is a folder" in said["folder.py"]
    assert entries["binary.py"]["findings"][0]["diagnosis"]["cause"] == "unreadable"


def test_a_file_without_a_lesson_is_the_one_it_is_named_after(program: Program, course: Path, tmp_path: Path) -> None:
    (tmp_path / "double.py").write_text(RIGHT)
    assert program("check", "--file", str(tmp_path / "double.py")).code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "duble"), "There is no lesson named 'duble'"),
        (("check", "double", "--lessons", "nowhere"), "nowhere is not a folder, neither here nor in"),
        (("check", "double", "quadruple", "--file", "a.py"), "--file takes one lesson, got 2: double, quadruple"),
        (("check", "--course", "nowhere"), "nowhere is not a course: it needs a lessons/ and a solutions/ folder"),
    ],
)
def test_what_cannot_be_run_is_one_paragraph_and_exit_code_2(
    program: Program, course: Path, arguments: tuple[str, ...], says: str
) -> None:
    ran = program(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_a_verdict_on_the_own_folder_is_remembered_and_no_other(program: Program, course: Path) -> None:
    program("check", "double", "--lessons", "solutions")
    assert not Progress.read(course).verified
    (course / STUB).write_text(RIGHT)
    program("check", "double")
    assert Progress.read(course).verified["double"].status == "passed"
    assert "1 of 2 done" in program().out


def test_an_earlier_lesson_is_borrowed_while_it_does_not_pass(program: Program, course: Path) -> None:
    later = course / "lessons" / "u01_toys" / "quadruple.py"
    later.write_text((course / "solutions" / "u01_toys" / "quadruple.py").read_text().split("### BEGIN SPEC")[0])
    later.write_text(later.read_text().replace("solutions.", "lessons."))
    (course / STUB).write_text(WRONG)
    ran = program("check", "quadruple")
    assert ran.code == 0
    assert "borrowed   double" in ran.out
    assert "because yours is not done yet" in " ".join(ran.out.split())
    (course / STUB).write_text(RIGHT)
    ran = program("check", "quadruple")
    assert ran.code == 0
    assert "borrowed" not in ran.out


def test_verbose_shows_every_finding_and_the_isolation(program: Program, course: Path) -> None:
    ran = program("check", "double", "--lessons", "solutions", "--verbose")
    assert "matches autograd" in ran.out
    assert "keeps float32: as it should be" in ran.out
    assert "isolation: " in ran.out


def test_what_the_code_printed_is_under_the_verdict_and_in_json(program: Program, course: Path) -> None:
    (course / STUB).write_text(WRONG.replace("    return 3", "    print(*range(9), sep='\\n')\n    return 3"))
    assert "  printed   0\n            1\n" in program("check", "double").out
    assert "... 4 more lines (-v shows all)" in program("check", "double").out
    assert "more lines" not in program("check", "double", "-v").out
    (lesson,) = json.loads(program("check", "double", "--format", "json").out)["lessons"]
    assert lesson["printed"] == "".join(f"{n}\n" for n in range(9))


def test_a_debugger_is_left_at_the_first_q_and_the_file_is_judged_without_it(course: Path) -> None:
    (course / STUB).write_text(RIGHT.replace("    return dout", "    breakpoint()\n    return dout"))
    command = [sys.executable, "-c", "from autograd_check.cli.app import main; main()", "check", "double", "--in-process"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(command, input="p dout.shape\nq\n", capture_output=True, text=True, env=environment, check=False)
    assert ran.stdout.count("(Pdb)") == 2
    assert "torch.Size([3])" in ran.stdout
    assert "double · passed" in ran.stdout
    assert "  note     the debugger was left; the verdict is on the code without its" in ran.stdout
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", [STUB, f"./{STUB}", "DOUBLE", "Double", "lessons/elsewhere/double.py"])
def test_a_lesson_may_be_named_by_its_file_and_in_any_case(program: Program, course: Path, name: str) -> None:
    (course / STUB).write_text(RIGHT)
    ran = program("check", name)
    assert ran.code == 0
    assert ran.out.startswith(f"double · passed · 4 of 4 points · {STUB}\n")
    assert Progress.read(course).verified["double"].status == "passed"


@pytest.mark.parametrize("name", ["u01", "U01_toys", "toys", "lessons/u01_toys", "lessons/u01_toys/"])
def test_a_unit_stands_for_its_lessons(program: Program, course: Path, name: str) -> None:
    ran = program("check", name, "double")
    assert ran.out.endswith("2 todo · 0 of 14 points\n")


def test_a_path_to_a_file_elsewhere_is_that_file(program: Program, course: Path, tmp_path: Path) -> None:
    other = tmp_path / "anna" / "double.py"
    other.parent.mkdir()
    other.write_text(RIGHT)
    assert f"double · passed · 4 of 4 points\n  {other}\n" in program("check", str(other)).out.replace(" · /", "\n  /")
    assert not Progress.read(course).verified


def test_a_path_that_is_no_lesson_is_answered_like_a_name(program: Program, course: Path) -> None:
    ran = program("check", "lessons/u01_toys/dubble.py")
    assert ran.code == 2
    assert "There is no lesson named 'dubble'" in ran.err
    assert "Did you mean double?" in " ".join(ran.err.split())


def test_a_file_may_name_its_encoding_as_python_reads_it(program: Program, course: Path) -> None:
    text = "# -*- coding: latin-1 -*-\n# für Anna\n" + RIGHT
    (course / STUB).write_bytes(text.encode("latin-1"))
    assert program("check", "double").code == 0
    (course / STUB).write_bytes(text.replace("coding: latin-1", "").encode("latin-1"))
    assert "is not text in UTF-8 (byte 14)" in " ".join(program("check", "double").out.split())
