"""Programs in processes of their own that need not import torch first: they are forked from one that has.

What tests the import itself, or what a process finds when it starts, starts a new one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

PRELOADED = ["torch", "torch.testing", "numpy", "pytest", "rich.console", "rich.progress", "typer", "sympy"]

OTHERS = ("cacheprovider", "hypothesispytest", "anyio", "benchmark", "pytest_cov", "timeout", "xdist", "xdist.looponfail")
"""Plugins that this package's own tests bring: pytest would import them for a second and a half, each time."""

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(PRELOADED)


@dataclass(frozen=True)
class Ran:
    """One run: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def pytest_in(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    """`python -m pytest ARGUMENTS` in a folder, with the plugins that a student has: pytest's own and this package's."""
    others = [word for name in OTHERS for word in ("-p", f"no:{name}")]
    return _run(_pytest, folder, ["pytest", *others, *arguments], environment)


def program_in(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    """`autograd-check ARGUMENTS` in a folder."""
    return _run(_program, folder, ["autograd-check", *arguments], environment)


def script_in(folder: Path, script: str, *arguments: str) -> Ran:
    """`python -c SCRIPT ARGUMENTS` in a folder."""
    return _run(partial(_script, script), folder, ["-c", *arguments], None)


def _script(script: str) -> int:
    exec(compile(script, "<script>", "exec"), {"__name__": "__main__"})
    return 0


def _pytest() -> int:
    import pytest

    return int(pytest.main(sys.argv[1:]))


def _program() -> int:
    from autograd_check.cli.app import main

    main()
    return 0


def _run(main: Callable[[], int], folder: Path, words: list[str], environment: Mapping[str, str] | None) -> Ran:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        ends = [DupFd(stream.fileno()) for stream in (out, err)]
        child = SERVER.Process(target=_inside, args=(main, str(folder), words, dict(environment or os.environ), ends))
        child.start()
        child.join()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    return Ran(child.exitcode or 0, *said)


def _inside(main: Callable[[], int], folder: str, words: list[str], environment: dict[str, str], ends: list[Any]) -> None:
    for number, end in enumerate(ends, 1):
        os.dup2(end.detach(), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = words
    if main is not _program:
        sys.path.insert(0, folder)  # as `python -m` and `python -c` do
    sys.exit(main())
