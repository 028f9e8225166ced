from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Program
from tests.toy import make_course


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(monkeypatch, capsys)


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy course, and the working directory inside it."""
    root = make_course(tmp_path / "course", stubs=True)
    monkeypatch.chdir(root)
    return root
