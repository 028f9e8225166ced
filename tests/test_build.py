"""What a build of the package holds: the course, as it is in the repository, and nothing of an earlier build."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT


def test_the_package_carries_the_course(tmp_path: Path) -> None:
    left = tmp_path / "autograd_check" / "curriculum" / "solutions" / "left_over.py"
    left.parent.mkdir(parents=True)
    left.write_text("")
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    carried = tmp_path / "autograd_check" / "curriculum"
    wanted = [*ROOT.glob("solutions/**/*.py"), ROOT / "solutions" / "about.toml", *ROOT.glob("lessons/*/*.ipynb")]
    assert len(wanted) > 70
    assert {p.relative_to(carried): p.read_bytes() for p in carried.rglob("*") if p.is_file()} == {
        p.relative_to(ROOT): p.read_bytes() for p in wanted
    }
    assert (tmp_path / "autograd_check" / "py.typed").is_file()
