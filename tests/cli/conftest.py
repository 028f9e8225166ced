from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from autograd_check.run.zygote import Zygote
from tests.cli.running import Program
from tests.toy import make_course


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], zygote: Zygote) -> Program:
    """The program, with the process of this test session to fork students from: each run would start one of its own."""
    monkeypatch.setattr("autograd_check.grade.checking.Zygote", lambda: nullcontext(zygote))
    monkeypatch.setattr("autograd_check.run.zygote.Zygote", lambda: nullcontext(zygote))  # for who imports it when it runs
    return Program(monkeypatch, capsys)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy course, and the working directory inside it."""
    root = make_course(tmp_path / "course", stubs=True)
    monkeypatch.chdir(root)
    return root
