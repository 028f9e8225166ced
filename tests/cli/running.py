"""Runs the program in this process: what it printed, and its exit code."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from autograd_check.cli.app import main


@dataclass(frozen=True)
class Ran:
    """One run of the program."""

    code: int
    out: str
    err: str


class Program:
    """`program("check", "linear")` runs `autograd-check check linear`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch = monkeypatch
        self.capsys = capsys

    def __call__(self, *arguments: str) -> Ran:
        """Run it; the exit code is 0 where it ends without saying one."""
        self.monkeypatch.setattr(sys, "argv", ["autograd-check", *arguments])
        self.capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = self.capsys.readouterr()
        return Ran(code, captured.out, captured.err)
