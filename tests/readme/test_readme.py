"""The README's five minutes, as a reader would spend them: its files are written, its commands run, its output compared."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.warm import Ran, program_in, pytest_in

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = "[...]\n"
"""Stands for any number of lines."""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the course whose lessons are the stubs as they were generated."""
    root = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "solutions", root / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "lessons").mkdir()
    assert run(root, "autograd-check stubs").returncode == 0
    return root


def run(folder: Path, command: str) -> Ran:
    program, *arguments = shlex.split(command)
    environment = {**os.environ, "COLUMNS": "80"}
    return {"autograd-check": program_in, "pytest": pytest_in}[program](folder, *arguments, environment=environment)


def said_so(expected: str, got: str) -> bool:
    """Whether an output is what the README shows, but for what it leaves out."""
    pattern = "(?:.*\n)*".join(re.escape(part) for part in expected.split(LEFT_OUT))
    return re.fullmatch(pattern, got) is not None


def test_five_minutes(course: Path) -> None:
    """Every console block in turn: `$ command`, then its whole output (nothing below it: only that it ran)."""
    ran = []
    for kind, text in BLOCK.findall(README):
        if kind == "python" and "linear_forward" in text:
            (course / "lessons" / "u02_network" / "linear.py").write_text(text)
        elif kind == "console":
            first, _, expected = text.partition("\n")
            assert first.startswith("$ ")
            answer = run(course, first[2:])
            assert answer.returncode in (0, 1), answer.stderr
            assert not expected or said_so(expected, answer.stdout), answer.stdout
            ran.append((first[2:], answer.returncode))
    assert [code for command, code in ran if command == "autograd-check check linear"] == [1, 1, 0]
    assert ("autograd-check start nn", 0) in ran
    assert ('pytest lessons -q -k "linear and dw and not linear_regression"', 0) in ran
    assert ran[-1] == ("autograd-check grade class --out graded --format csv", 0)


def test_a_developer_is_shown_what_gradcheck_prints() -> None:
    blocks = BLOCK.findall(README)
    (number,) = (number for number, (kind, text) in enumerate(blocks) if kind == "python" and "gradcheck" in text)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(blocks[number][1], {"__name__": "readme"})
    kind, expected = blocks[number + 1]
    assert kind == "text"
    assert said_so(expected, printed.getvalue()), printed.getvalue()


def test_each_reader_has_a_part_and_a_link_to_it() -> None:
    for title in re.findall(r"^- \[(You .*?)\]\(#(.*?)\)", README, re.MULTILINE):
        assert f"\n## {title[0]}\n" in README
        assert title[1] == title[0].lower().replace(" ", "-")
    assert README.count("\n- [You ") == 3


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
        for target in re.findall(r"\]\(([^)#]+)\)", BLOCK.sub("", (ROOT / page).read_text())):
            assert target.startswith("https://") or (ROOT / target).exists(), target
