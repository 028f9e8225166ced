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
        assert "the solution does not pass (seed 0): out: out is wrong" in " ".join(ran.err.split())
    assert not (made.root / "lessons" / "u01_first").exists()
    assert not (tmp_path / "handout").exists()
