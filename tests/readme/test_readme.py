"""The README's five minutes, as a reader would spend them: its files are written, its commands run, its output compared."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course whose lessons are the stubs as they were generated."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions", root / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "lessons").mkdir()
    assert run(root, "autograd-check stubs").returncode == 0
    return root


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "COLUMNS": "80"}
    return subprocess.run(shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_five_minutes(course: Path) -> None:
    """Every console block in turn: `$ command`, then its whole output (nothing below it: only that it ran)."""
    ran = []
    for kind, text in BLOCK.findall(README):
        if kind == "python":
            (course / "lessons" / "u02_network" / "linear.py").write_text(text)
        elif kind == "console":
            first, _, expected = text.partition("\n")
            assert first.startswith("$ ")
            answer = run(course, first[2:])
            assert answer.returncode in (0, 1), answer.stderr
            if expected:
                assert answer.stdout == expected
            ran.append((first[2:], answer.returncode))
    assert [code for command, code in ran if command == "autograd-check check linear"] == [1, 1, 0]
    assert ('pytest lessons -q -k "linear and dw and not linear_regression"', 0) in ran
    assert ran[-1] == ("autograd-check grade class --out graded --format csv", 0)


def test_make_has_the_targets_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_command_in_the_table_exists() -> None:
    helped = run(ROOT, "autograd-check --help").stdout
    for command in set(re.findall(r"`autograd-check ([\w-]+)", README)):
        assert f"\n  {command} " in helped, command


def test_links_lead_to_files() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "docs/scale.md", "docs/authoring.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
            assert target.startswith("https://") or (ROOT / target).exists(), target
