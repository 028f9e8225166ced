from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograd_check.cli import app
from autograd_check.course.progress import STATE_FILE, Stage
from autograd_check.report.doctor import LEVELS
from autograd_check.report.status import render_hint, render_list, render_standing
from tests.cli.running import Program, Ran
from tests.support import names, outline
from tests.toy import RIGHT

COMMANDS = list(app.COMMANDS)
STUB = "lessons/u01_toys/double.py"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(program: Program, command: str) -> None:
    ran = program(command, "--help")
    assert ran.code == 0
    assert f"Example: autograd-check {command}" in " ".join(ran.out.split())
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_help_says_of_every_command_what_it_does_in_few_columns(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, _, said = program("--help").out.partition("Commands:")
    assert "..." not in said
    assert "  watch        Check a lesson whenever it is saved.\n" in said


def test_help_lists_all_commands(program: Program) -> None:
    ran = program("--help")
    assert ran.code == 0
    assert all(f"\n  {command} " in ran.out for command in COMMANDS)


def test_without_a_command_it_says_where_you_stand_and_what_to_type(program: Program, course: Path) -> None:
    ran = program()
    assert ran.code == 0
    assert "Unit 1 · toys" in ran.out
    assert "0 of 2 done" in ran.out
    assert "Next: double · Twice | x (about 5 minutes)" in ran.out
    assert f"  open   {STUB}\n  check  autograd-check check double\n  hint   autograd-check hint double\n" in ran.out


def test_outside_a_course_it_says_so(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = program()
    assert ran.code == 2
    assert "No course was found" in ran.err


def test_an_instructor_needs_no_folder_of_the_course_that_is_installed(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = program("sample", "class", "--students", "2", "--lessons", "linear")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith("of 2 students in class. Next: autograd-check grade class --out graded\n")
    ran = program("grade", "nowhere", "--out", "graded")
    assert "nowhere does not exist" in ran.err


def test_ctrl_c_while_it_starts_ends_it_without_a_word(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(wanted: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "make_app", interrupted)
    assert program("list") == Ran(130, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "DEST"), "making DEST ..."),
        (("derive", "double"), "deriving double ..."),
        (("sample", "DEST", "--lessons", "double"), "making up a class ..."),
        (("reset", "double", "--yes"), "putting the stub back ..."),
        (("train",), "importing scikit-learn ..."),
        (("doctor",), "looking at this machine ..."),
    ],
)
def test_what_takes_seconds_is_announced_on_a_terminal(
    program: Program, course: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    (course / "solutions" / "train.py").write_text("def train_command(**named):\n    pass\n")
    folder = str(course.parent / "new")
    ran = program(*(word.replace("DEST", folder) for word in arguments))
    assert ran.code == 0
    assert says.replace("DEST", folder) in ran.err


@pytest.mark.parametrize("command", ["release", "train", "update"])
def test_a_folder_without_a_course_is_told_at_once(course: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    said = without_what_is_slow(command, *(["handout"] if command == "release" else []), "--course", "nowhere")
    assert "nowhere is not a course" in " ".join(said.split())


SLOW = {"torch", "numpy", "sympy", "matplotlib", "sklearn", "pytest"}
"""What takes longest to import: torch, then what draws, rewrites files or solves equations."""


def without_what_is_slow(*arguments: str) -> str:
    """What a command prints; fails where it imported something slow. One process for all: a fresh python each."""
    code = (
        f"import sys\nfrom autograd_check.cli.app import main\nsys.argv = ['autograd-check', *{arguments!r}]\n"
        "try: main()\nexcept SystemExit: pass\nfinally: print('imported:', *sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    said, _, imported = ran.stdout.rpartition("imported:")
    assert SLOW & set(imported.split()) == set()
    return said + ran.stderr


NEEDLESS = {"pydantic", "sympy", "matplotlib", "sklearn", "watchfiles", "pytest", "torch._dynamo", "rich.progress"}
"""What a check of one lesson can do without; each is tenths of a second or more."""

SPY = """
import io, json, sys

class Terminal(io.StringIO):
    def isatty(self):
        return True

    def write(self, text):
        said.append((text, sorted({"typer", "rich", "pathlib"} & set(sys.modules))))
        return len(text)

said = []
import torch
before = set(sys.modules)
for name in ("pathlib", "rich", "typer"):
    sys.modules.pop(name, None)
from autograd_check.cli.app import main
sys.stderr, sys.argv = Terminal(), ["autograd-check", "check", "double", "--lessons", "solutions"]
try:
    main()
except SystemExit as ended:
    print(json.dumps([ended.code, said, sorted(set(sys.modules) - before)]))
"""


def test_a_check_imports_what_it_needs_and_says_so_before(course: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", SPY], cwd=course, check=True, capture_output=True, text=True)
    code, said, imported = json.loads(ran.stdout.splitlines()[-1])
    assert code == 0
    assert said[0] == ["starting ...", []]
    assert [text for text, _ in said if text.endswith(" ...")] == [
        "starting ...",
        "starting ...",
        "importing torch ...",
        "checking ...",
    ]
    assert NEEDLESS & set(imported) == set()
    commands = {name for name in imported if name.startswith("autograd_check.cli.")}
    assert commands == {f"autograd_check.cli.{name}" for name in ("app", "check", "options", "status")}


def test_a_shell_completes_commands_lessons_and_units(course: Path) -> None:
    def completed(words: str) -> list[str]:
        asked = {"_AUTOGRAD_CHECK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
        code = "import sys; from autograd_check.cli.app import main; sys.argv[0] = 'autograd-check'; main()"
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=course, env={**os.environ, **asked}, capture_output=True, text=True, check=False
        )
        return ran.stdout.split()

    assert completed("autograd-check re") == ["reset", "regrade", "release"]
    assert completed("autograd-check check ") == ["u01_toys", "double", "quadruple"]
    assert completed("autograd-check hint q") == ["quadruple"]


def test_status_imports_nothing_that_is_slow(course: Path) -> None:
    assert "Unit 1 · toys" in without_what_is_slow()


@pytest.mark.parametrize("command", ["check", "bench", "plot", "derive", "hint", "reset", "watch"])
def test_a_name_that_is_not_a_lesson_is_answered_at_once(course: Path, command: str) -> None:
    said = without_what_is_slow(command, "dubble")
    assert "There is no lesson named 'dubble'" in said
    assert "Did you mean double?" in " ".join(said.split())


def test_a_folder_that_is_not_there_is_answered_at_once(course: Path) -> None:
    said = without_what_is_slow("check", "double", "--lessons", "nowhere")
    assert "nowhere is not a folder, neither here nor in" in " ".join(said.split())


def test_a_damaged_state_file_changes_nothing(program: Program, course: Path) -> None:
    (course / STATE_FILE).write_text("{damaged")
    assert program().code == 0
    assert program("hint", "double").code == 0


def test_list_shows_lessons_as_text_and_json(program: Program, course: Path) -> None:
    assert "open  double" in program("list").out
    first, second = json.loads(program("list", "--format", "json").out)["lessons"]
    assert (first["lesson"], first["stage"], first["file"]) == ("double", "open", STUB)
    assert second["requires"] == ["double"]


def test_the_course_may_be_named_before_the_command(
    program: Program, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert program("list").code == 2
    for arguments in (("--course", str(course), "list"), ("list", "--course", str(course))):
        assert "open  double" in program(*arguments).out


def test_hints_go_one_step_further_each_time(program: Program, course: Path) -> None:
    first = program("hint", "double").out
    assert "double · hint 1 of 2\n  How fast does 2 x grow?" in first
    assert "Twice as fast" not in first
    second = program("hint", "double").out
    assert "double · hint 2 of 2\n  Twice as fast as x." in second
    assert "That was the last one." in second
    assert program("hint", "quadruple").out == "quadruple has no hints.\n"


def test_reset_asks_first(program: Program, course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = (course / STUB).read_text()
    (course / STUB).write_text(RIGHT)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = program("reset", "double")
    assert ran.code == 1
    assert (course / STUB).read_text() == RIGHT
    ran = program("reset", "double", "--yes")
    assert ran.code == 0
    assert f"{STUB} is the stub again. Your file: .autograd_check_backups/double-" in " ".join(ran.out.split())
    assert (course / STUB).read_text() == stub


def test_stubs_check_names_the_command_that_mends(program: Program, course: Path) -> None:
    assert program("stubs", "--check").code == 0
    (course / STUB).unlink()
    ran = program("stubs", "--check")
    assert ran.code == 1
    assert f"{STUB}: missing\nTo fix it: autograd-check stubs\n" in ran.out
    ran = program("stubs")
    assert (ran.code, ran.out) == (0, f"1 file of lessons/ written:\n  {STUB}\n")
    (course / STUB).write_text(RIGHT)
    assert program("stubs").code == 1
    assert (course / STUB).read_text() == RIGHT
    assert program("stubs", "--force").code == 0
    assert program("stubs", "--check").code == 0


def test_derive_prints_closed_forms(program: Program, course: Path) -> None:
    assert program("derive", "double").out == (
        "double at a tiny size: x (2,); g is the upstream gradient\ndx[0] = 2*g0\ndx[1] = 2*g1\n"
    )
    assert "dx[1] = 2*g1\n" in program("derive", "double", "--entry", "dx[1]").out
    report = json.loads(program("derive", "double", "--format", "json").out)
    assert report["tasks"][0]["formulas"] == {"dx[0]": "2*g0", "dx[1]": "2*g1"}
    ran = program("derive", "double", "--entry", "dw[0]")
    assert ran.code == 2
    assert "double has no gradient entry 'dw[0]'" in ran.err


def test_bench_gives_a_row_for_each_pass(program: Program, course: Path) -> None:
    rows = json.loads(program("bench", "double", "--format", "json").out)["benchmarks"]
    assert [row["part"] for row in rows] == ["forward", "backward", "forward+backward"]
    assert {"lesson", "part", "size", "dtype", "threads", "median_s", "ratio_to_torch"} <= set(rows[0])
    assert all(row["threads"] == 1 and row["median_s"] > 0 and row["ratio_to_torch"] > 0 for row in rows)
    text = program("bench", "double").out
    assert "double: x (3,)" in text
    assert "forward+backward" in text


def test_train_calls_the_course_and_passes_its_errors_on(program: Program, course: Path) -> None:
    train = course / "solutions" / "train.py"
    train.write_text(
        "from solutions.u01_toys.double import double_forward\n\n\n"
        "def train_command(**named):\n    from solutions.u01_toys.quadruple import quadruple_forward\n\n    print(sorted((k, v) for k, v in named.items() if k != 'root'), 'in', named['root'].name)\n"
    )
    ran = program("train", "--network", "mlp", "--seed", "3", "--samples", "144")
    assert ran.code == 0
    assert (
        "('network', 'mlp'), ('ops', 'solutions'), ('output', 'text'), ('plot', None), ('samples', 144), ('seed', 3)] in course"
        in ran.out
    )
    train.write_text("import matplotlib_is_not_here\n")
    assert "train.py could not be run: ModuleNotFoundError" in " ".join(program("train").err.split())
    train.unlink()
    ran = program("train")
    assert ran.code == 2
    assert "train.py" in ran.err


def test_a_missing_extra_is_named(program: Program, course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    (course / "solutions" / "train.py").write_text("import sklearn\n")
    ran = program("train")
    assert ran.code == 2
    assert "pip install 'autograd-check[train]'" in " ".join(ran.err.split())
    assert set(app.EXTRAS.values()) == {"train", "derive", "notebook", "cluster"}


def test_doctor_shows_versions_and_isolation(program: Program, course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = program("doctor")
    assert ran.code == 0
    assert "2 lessons in" in ran.out
    assert "isolation  own process" in ran.out
    report = json.loads(program("doctor", "--format", "json").out)
    assert report["schema"] == 1
    level = report["layers"]["level"]
    said = " ".join(ran.out.split())
    assert LEVELS[level] in said
    for layer in report["layers"]["layers"]:
        assert f"{'holds' if layer['holds'] else 'missing'}: {layer['name']}" in said
    assert f"{report['threads']} thread{'' if report['threads'] == 1 else 's'} for torch" in said
    assert report["versions"]["torch"].startswith("2.")
    monkeypatch.chdir(course.parent)
    ran = program("doctor")
    assert ran.code == 2
    assert "No course was found" in " ".join(ran.out.split())


def environment(**named: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2]), **named}


def outside(*arguments: str, cwd: Path, **named: str) -> subprocess.CompletedProcess[bytes]:
    """The program in a process of its own, with nothing in its environment but what is named (no HOME)."""
    command = [sys.executable, "-c", "from autograd_check.cli.app import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment(**named), capture_output=True, check=False)


def test_without_unicode_signs_are_written_in_ascii(course: Path) -> None:
    ran = outside(cwd=course, PYTHONIOENCODING="ascii")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"Unit 1 - toys" in ran.stdout
    assert b"Next: double - Twice | x" in ran.stdout


def test_a_working_directory_that_is_gone_is_a_sentence(course: Path, tmp_path: Path) -> None:
    code = (
        "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "from autograd_check.cli.app import main; sys.argv = ['autograd-check', 'list']; main()"
    )
    command = [sys.executable, "-P", "-c", code]
    ran = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", "autograd-check: No such file or directory\n")


def test_a_folder_that_cannot_be_written_to_is_a_sentence(
    program: Program, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{course / STUB}")

    (course / STUB).write_text(RIGHT)
    monkeypatch.setattr("autograd_check.course.handout.back_up", refuse)
    ran = program("reset", "double", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert " ".join(ran.err.split()) == f"autograd-check: Permission denied: {course / STUB}"
    assert (course / STUB).read_text() == RIGHT
    (course / STATE_FILE).mkdir()  # where nothing can be written, progress is not kept and nothing else changes
    assert "hint 1 of 2" in program("hint", "double").out


@pytest.mark.parametrize("command", ["hint", "reset", "derive"])
def test_every_command_takes_a_file_or_another_case(program: Program, course: Path, command: str) -> None:
    for name in (STUB, "DOUBLE"):
        ran = program(command, name, *(["--yes"] if command == "reset" else []))
        assert (ran.code, ran.err) == (0, "")
        assert "double" in ran.out


@pytest.mark.parametrize("arguments", [("start", "new"), ("doctor",), ("stubs", "--check"), ("bench", "double")])
def test_what_is_printed_fits_a_narrow_terminal(
    program: Program, course: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ran = program(*arguments)
    assert ran.code == 0
    assert [line for line in ran.out.splitlines() if len(line) > 60 and " " in line.strip().partition("  ")[2].strip()] == []


def test_units_fit_a_terminal_that_has_no_room_for_a_bar() -> None:
    standing = render_standing(outline(), dict.fromkeys(names(), Stage.OPEN), 40).plain.splitlines()
    assert all(len(line) <= 40 for line in standing if line.startswith(("Unit", "> open", "  open    ")))
    assert [line.split() for line in standing if "0 of 10 done" in line]


@pytest.mark.parametrize("width", [80, 60])
def test_where_you_stand_fits_the_terminal(width: int) -> None:
    standing = dict.fromkeys(names(), Stage.FAILED)
    entry = outline().lesson("linear")
    for text in (
        render_list(outline(), standing, width),
        render_standing(outline(), standing, width),
        render_hint(entry, len(entry.hints), width),
    ):
        assert max(map(len, text.plain.splitlines())) <= width
