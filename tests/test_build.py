"""What a build of the package holds: the course, as it is in the repository, and nothing of an earlier build."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.lower_bounds import oldest, requirements
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


def test_every_requirement_states_its_oldest_version_and_what_is_installed_is_newer() -> None:
    pins = dict(oldest(requirement).split("==") for requirement in requirements())
    assert {"torch", "numpy", "scikit-learn", "typer", "sympy"} <= pins.keys()
    for name, bound in pins.items():
        assert numbers(version(name)) >= numbers(bound), name
    with pytest.raises(ValueError, match="'torch' states no lower bound"):
        oldest("torch")


def numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text.partition("+")[0])]
