"""kill -9 at any moment, of anybody: the same command ends with every submission exactly once, and leaves no process."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from tests.support import ROOT
from tests.toy import RIGHT, WRONG, make_course

PROGRAM = "from autograd_check.cli.app import main; main()"
PATIENCE = 300.0
PROGRESS = re.compile(r"grading: \d+ of \d+, [\d.]+/s, \d+ s left")


class Night:
    """A class that is graded by the program in a process of its own."""

    def __init__(self, root: Path, students: int) -> None:
        self.course = make_course(root / "course")
        self.errors = root / "errors.txt"
        self.submissions, self.out = root / "submissions", root / "graded"
        self.expected = {f"s{number:03}": "failed" if number % 3 == 0 else "passed" for number in range(students)}
        for student, status in self.expected.items():
            (self.submissions / student).mkdir(parents=True)
            text = RIGHT if status == "passed" else WRONG
            (self.submissions / student / "double.py").write_text(f"{text}\n# {student}\n")

    def start(self, *options: str) -> psutil.Popen:
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            "grade",
            str(self.submissions),
            "--out",
            str(self.out),
            "--course",
            str(self.course),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [*command, "--lessons", "double", "--jobs", "1", *options]
        with self.errors.open("w") as errors:
            return psutil.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=errors)

    def results(self) -> int:
        """How many results the store holds; it is read while the program writes it."""
        if not (self.out / "store.sqlite").exists():
            return 0
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(self.out / "store.sqlite", timeout=5)) as connection:
            return int(connection.execute("SELECT count(*) FROM result").fetchone()[0])
        return 0

    def wait_for(self, count: int, program: psutil.Popen) -> None:
        until = time.monotonic() + PATIENCE
        while self.results() < count and program.poll() is None and time.monotonic() < until:
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """What the program said on standard error, but for how far it was: a slow machine says that in lines."""
        return [line for line in self.errors.read_text().splitlines() if not PROGRESS.fullmatch(line)]

    def check(self) -> None:
        lines = [json.loads(line) for line in (self.out / "records.jsonl").read_text().splitlines()]
        assert [line["submission"] for line in lines] == sorted(self.expected)
        assert {line["submission"]: line["status"] for line in lines} == self.expected
        assert self.results() == len(self.expected)


def workers(program: psutil.Popen) -> list[psutil.Process]:
    """The processes that grade."""
    return [child for child in program.children() if "spawn_main" in " ".join(child.cmdline())]


def zygotes(program: psutil.Popen) -> list[psutil.Process]:
    return [child for worker in workers(program) for child in worker.children()]


def kill(victims: list[psutil.Process]) -> None:
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)


def left_of(family: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Which of some processes are alive after so many seconds."""
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_the_grader_then_a_worker_then_a_zygote(tmp_path: Path) -> None:
    night = Night(tmp_path, students=30)
    program = night.start()
    night.wait_for(3, program)
    family = program.children(recursive=True)
    assert len(family) >= 3  # a worker, its zygote, and python's own tracker
    kill([program])
    program.wait()
    assert left_of(family, 30.0) == []
    before = night.results()
    assert 3 <= before < 30
    program = night.start()
    night.wait_for(before + 2, program)
    kill(workers(program))
    night.wait_for(before + 8, program)
    kill(zygotes(program))
    assert program.wait(PATIENCE) == 0
    assert night.complaints() == []
    night.check()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_three_kills_at_random(tmp_path: Path, seed: int) -> None:
    """Thirty kills in all. After one of the grader nothing of it is left within 2 seconds."""
    chance = random.Random(seed)
    night = Night(tmp_path, students=30)
    program = night.start("--jobs", "2")
    for _ in range(3):
        night.wait_for(night.results() + chance.randrange(1, 8), program)
        whom = chance.choice(["grader", "worker", "zygote"])  # a student's own process that dies is the student's answer
        if program.poll() is not None:
            program = night.start("--jobs", "2")
        with suppress(psutil.NoSuchProcess):
            family = program.children(recursive=True)
            if whom == "grader":
                kill([program])
                program.wait()
                assert left_of(family, 2.0) == []
                program = night.start("--jobs", "2")
            else:
                kill((workers if whom == "worker" else zygotes)(program)[:1])
    assert program.wait(PATIENCE) == 0
    assert night.complaints() == []
    night.check()
