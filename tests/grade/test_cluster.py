"""A Dask cluster: the same records as on this machine, whatever its workers go through."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograd_check.course.outline import read_outline
from autograd_check.errors import AutogradCheckError
from autograd_check.grade.classroom import Plan, Run
from autograd_check.grade.jobs import Setup, checker_version
from autograd_check.grade.pool import Crew
from autograd_check.run.zygote import Zygote
from tests.grade.crew import Here, Lent
from tests.grade.test_pool import Night
from tests.support import ROOT
from tests.toy import RIGHT, WRONG, make_course

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")

from autograd_check.grade.cluster import Cluster, bundle  # noqa: E402  # needs the extra


def graded(root: Path, out: Path, crew: Crew) -> list[dict[str, Any]]:
    """The records of a class of three, without the timings."""
    with Run.open(read_outline(root / "course"), Plan(root / "submissions", out, ["double"])) as run:
        for _ in run.grade(crew):
            pass
        run.finish()
    return records(out)


def records(out: Path) -> list[dict[str, Any]]:
    """All records, timings aside."""
    return [{**json.loads(line), "seconds": None} for line in (out / "records.jsonl").read_text().splitlines()]


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    make_course(tmp_path / "course")
    for student, text in {"ada": RIGHT, "ben": WRONG, "cy": "import os\nos._exit(1)\n"}.items():
        (tmp_path / "submissions" / student).mkdir(parents=True)
        (tmp_path / "submissions" / student / "double.py").write_text(text)
    return tmp_path


def test_a_cluster_gives_the_same_records(submissions: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograd_check.run.zygote.Zygote", lambda **_: Lent(zygote))
    here = graded(submissions, submissions / "here", Here(submissions / "course", zygote))
    setup = Setup(str(submissions / "course"), checker_version())
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        crew = Cluster(cluster.scheduler_address, setup)
        assert (crew.window, crew.batch) == (2, 25)
        there = graded(submissions, submissions / "there", crew)
        crew.close()
        # a worker whose checker is another one must not grade
        crew = Cluster(cluster.scheduler_address, Setup(setup.root, "another"))
        with pytest.raises(AutogradCheckError, match="and the class is graded with another: install the same"):
            graded(submissions, submissions / "other", crew)
        crew.close()
    assert there == here
    assert [record["status"] for record in there] == ["passed", "failed", "failed"]


def test_no_scheduler_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("autograd_check.grade.cluster.CONNECTING", 0.2)
    with pytest.raises(AutogradCheckError, match="^no scheduler answers at tcp://127.0.0.1:9: "):
        Cluster("tcp://127.0.0.1:9", Setup(str(tmp_path), ""))


def test_the_bundle_is_the_course_and_the_same_each_time(submissions: Path) -> None:
    assert bundle(submissions / "course") == bundle(submissions / "course")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, *words: str) -> psutil.Popen:
    """A program of Dask, ended with the test."""
    command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
    process = psutil.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)

    def end() -> None:
        family = [*process.children(recursive=True), process]
        for one in family:
            if one.is_running():
                one.kill()
        psutil.wait_procs(family, timeout=10)

    stack.callback(end)
    return process


@pytest.mark.long
def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, stack: ExitStack) -> None:
    """A real scheduler and two workers on loopback; kill -9 of a worker's process, three times."""
    night = Night(tmp_path, students=150)
    place = tmp_path / "scheduler.json"
    started(stack, "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(place))
    while not place.exists():
        time.sleep(0.1)
    address = json.loads(place.read_text())["address"]
    workers = [started(stack, "dask_worker", address, "--nthreads", "1", "--no-dashboard") for _ in range(2)]
    program = night.start("--scheduler", address)
    for number in range(3):
        night.wait_for(night.results() + 5, program)
        nanny = workers[number % 2]
        for child in nanny.children():
            if "spawn_main" in " ".join(child.cmdline()):
                child.send_signal(signal.SIGKILL)
    assert program.wait(600) == 0
    night.check()
    cluster = records(night.out)
    night.out = tmp_path / "local"
    assert night.start().wait(600) == 0
    assert cluster == records(night.out)
