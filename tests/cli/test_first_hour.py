"""From an empty environment to a lesson that has passed, in a real terminal, with nothing but what the program says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.pseudo_terminal import PseudoTerminal
from tests.support import ROOT

LINEAR = """
def linear_forward(x, w, b):
    return x @ w + b, (x, w)


def linear_backward(dout, cache):
    x, w = cache
    return dout @ w.T, {dw}, dout.sum(0)
"""
SQUARE = """
def square_forward(x):
    return x * x, x


def square_backward(dout, cache):
    return 2 * cache * dout
"""


def installed(folder: Path) -> Path:
    """The program as a wheel puts it into an environment with nothing in it but what the package needs."""
    source = folder / "source"
    for name in ("autograd_check", "solutions", "lessons"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, "wheel", *options, str(source)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    room = folder / "empty"
    venv.create(room, with_pip=False)
    python = room / "bin" / "python"
    (site,) = room.glob("lib/python*/site-packages")
    # torch and the rest, which take minutes to install, without the checkout: its own .pth files are not read
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)], check=True)
    return room / "bin" / "autograd-check"


def checked_out(folder: Path) -> Path:
    """A clone, as far as a student meets it."""
    for name in ("solutions", "lessons"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.long
@pytest.mark.parametrize("from_wheel", [True, False], ids=["installed", "checked out"])
def test_from_nothing_to_a_lesson_that_has_passed(from_wheel: bool, tmp_path: Path) -> None:
    program = installed(tmp_path) if from_wheel else None

    def terminal(arguments: Sequence[str], folder: Path) -> PseudoTerminal:
        return PseudoTerminal(arguments, folder, program=program)

    if from_wheel:
        with terminal(["start", "nn"], tmp_path) as started:
            assert started.end() == 0
        (folder,) = re.findall(r"^  cd (\S+)$", started.text, re.MULTILINE)
        root = tmp_path / folder
        assert not list(root.rglob("solutions"))
        assert "autograd-check    where you stand, and what comes next" in started.text
    else:
        root = checked_out(tmp_path / "clone")
    with terminal([], root) as standing:
        assert standing.end() == 0
    (first,) = re.findall(r"open   (\S+)$", standing.text, re.MULTILINE)
    assert first == "lessons/u01_derivatives/square.py"

    with terminal(["watch"], root) as watching:
        watching.until("square · todo", "Write it in your editor and save; the verdict comes here.")
        (root / first).write_text(SQUARE)
        watching.until("square · passed · ", "Passed. n goes on to ")
        watching.press("l")
        watching.until("type to search")
        watching.press("linear layer")
        watching.until("> open  linear ")
        watching.press("\r")
        watching.until("linear · todo · 0 of 10 points · lessons/u02_network/linear.py")
        watching.press("h")
        watching.until("linear · hint 1 of 3")
        (root / "lessons/u02_network/linear.py").write_text(LINEAR.format(dw="x.T @ dout / len(x)"))
        watching.until("linear · failed", "you took a mean over the batch where the chain rule sums", "points to go before")
        (root / "lessons/u02_network/linear.py").write_text(LINEAR.format(dw="x.T @ dout"))
        watching.until("linear · passed · 10 of 10 points", "Passed. n goes on to relu: ")
        watching.press("n")
        watching.until("relu · todo")
        watching.press("q")
        assert watching.end() == 0
    assert re.search(r"2 of \d+ done. Go on with: autograd-check watch relu", watching.raw.decode())
    with terminal(["list"], root) as listed:
        assert listed.end() == 0
    assert "done  square" in re.sub(
        r"\x1b\[[0-9;]*m", "", listed.raw.decode()
    )  # it has scrolled off the screen, and is in colour
