"""What the commands tell authors: about lessons that are wrong, and about courses that hold one."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import Program
from tests.grade.test_rehearsal import SOFTSIGN, VARIANTS, course


def test_a_lesson_whose_solution_fails_is_not_handed_out(tmp_path: Path, program: Program) -> None:
    made = course(tmp_path, "softsign", SOFTSIGN.replace("F.softsign(x)", "F.softsign(2 * x)"), VARIANTS)
    for command in (("stubs",), ("release", str(tmp_path / "handout"))):
        ran = program(*command, "--course", str(made.root))
        assert ran.code == 2
        says = "autograd-check: solutions/u01_first/softsign.py:45: the solution does not pass (seed 0): out: out is wrong"
        assert ran.err.startswith(says)  # in one line: who reads it in a log finds file and line
    assert not (made.root / "lessons" / "u01_first").exists()
    assert not (tmp_path / "handout").exists()


def test_one_broken_lesson_stops_no_other(tmp_path: Path, program: Program) -> None:
    made = course(tmp_path, "softsign", SOFTSIGN, VARIANTS)
    path = made.root / "solutions" / "u01_first" / "softsign.py"
    path.with_name("half.py").write_text("LESSON = Lesson(name='half',\n")
    says = "left out: solutions/u01_first/half.py:1: the specification is not valid Python: '(' was never closed.\n"
    for command in (("list",), (), ("check", "softsign", "--file", str(path)), ("test-lesson", "softsign")):
        ran = program(*command, "--course", str(made.root))
        assert (ran.code, ran.err) == (0, says), command
    for command in (("check", "half"), ("stubs",)):
        ran = program(*command, "--course", str(made.root))
        assert (ran.code, " ".join(ran.err.split())) == (2, says.strip().replace("left out", "autograd-check")), command
    ran = program("test-lesson", "half", "--course", str(made.root))
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith(says.removeprefix("left out: "))
