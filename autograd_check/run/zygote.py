"""The grader's handle on a zygote: a warm process from which every student's process is forked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autograd_check.errors import AutogradCheckError
from autograd_check.run import bubblewrap, confine, forkserver, landlock, limits
from autograd_check.run.deadline import DEADLINE, PATIENCE
from autograd_check.run.in_process import NOTHING
from autograd_check.run.isolated import Isolated
from autograd_check.run.lending import Lender

STARTING = 300.0
"""Seconds that a zygote may take to start or to answer: it imports torch on a busy machine at worst."""

DIE_WITH_PARENT = "sys.platform == 'linux' and __import__('ctypes').CDLL(None).prctl(1, 9)"
"""Said first: a zygote whose grader is killed while it still imports torch would notice seconds later (PR_SET_PDEATHSIG)."""

LAUNCH = f"import sys; {DIE_WITH_PARENT}; sys.path[:0] = sys.argv[1].split('\\n'); from autograd_check.run.forkserver import main; main()"

SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Child:
    """A process for one student's file: its number here, the grader's end of its channel, and its number for the zygote.

    The two numbers differ where the zygote has a namespace of its own.
    """

    pid: int
    channel: socket.socket
    number: int


class Zygote:
    """Starts processes for students' files: `with Zygote() as zygote, zygote.candidate(source, "a.py") as candidate: ...`.

    With `start="fork"` it is forked from this process, which costs milliseconds: do so right after `import torch`,
    before any course file is loaded (the fork holds what this process holds). Where this process already has several
    threads (a fork of it could hang), and with `start="spawn"`, it is a new interpreter, which costs an import of
    torch, and has bubblewrap around it where that works (unless `outer` is False). A zygote that has died is started anew
    by spawning. `confinement` says what keeps students' processes in.
    """

    def __init__(
        self, *, start: Literal["fork", "spawn"] = "fork", allowance: limits.Allowance | None = None, outer: bool = True
    ) -> None:
        self._allowance = allowance or limits.Allowance()
        self._outer = outer
        self._lock = threading.Lock()
        self._process: int = 0
        self._control: socket.socket | None = None
        self.starts = 0
        """How often it was started: more than once says that it died, and what it was asked then was not answered."""
        self.start_method: Literal["fork", "spawn"] = "fork" if start == "fork" and can_fork() else "spawn"
        self._start()

    @property
    def isolation(self) -> str:
        """What keeps students' processes in check, for the record of a result."""
        return f"{self.confinement.describe()}; deadline by the grader"

    def candidate(
        self,
        source: str,
        filename: str,
        *,
        dependencies: Mapping[str, str] = NOTHING,
        deadline: float = DEADLINE,
        patience: float = PATIENCE,
        lender: Lender | None = None,
    ) -> Isolated:
        """A candidate for one file; its process starts with the first question. Close it after use (or `with`)."""
        return Isolated(self, source, filename, dependencies=dependencies, deadline=deadline, patience=patience, lender=lender)

    def birth(self) -> Child:
        """Fork a process for one student's file."""
        mine, theirs = socket.socketpair()
        try:
            with theirs:
                answer = self._exchange({"birth": True}, theirs.fileno())
        except BaseException:
            mine.close()
            raise
        return Child(int(answer.get("here", answer["pid"])), mine, int(answer["pid"]))

    def end(self, child: Child, grace: float = 0.0) -> int | None:
        """End a student's process; the exit code (negative: a signal) if it ended by itself within `grace` seconds."""
        child.channel.close()
        if self._control is None:
            return None
        answer = self._exchange({"end": child.number, "grace": grace})
        status = answer["status"]
        return None if status is None else int(status)

    def close(self) -> None:
        """End the zygote and every process that it started."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _start(self) -> None:
        self.confinement = confine.probe(outer=self._outer and self.start_method == "spawn")
        mine, theirs = socket.socketpair()
        with theirs:
            if self.start_method == "fork":
                self._process = self._fork(theirs)
            else:
                self._process = self._spawn(theirs)
        mine.settimeout(STARTING)
        self._control = mine
        self.starts += 1
        try:
            self._read()
        except (OSError, EOFError, ValueError) as error:
            self._stop()
            raise AutogradCheckError(
                f"the process that runs student code did not start within {STARTING:g} s; "
                "`autograd-check doctor` says what is missing"
            ) from error

    def _fork(self, theirs: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            forkserver.serve(theirs.fileno(), self._allowance)
        return pid

    def _spawn(self, theirs: socket.socket) -> int:
        allowance = self._allowance
        numbers = (theirs.fileno(), allowance.memory, allowance.cpu, allowance.files)
        places = "\n".join(path for path in (str(Path(entry or ".").resolve()) for entry in sys.path) if path)
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")}
        words = [sys.executable, "-c", LAUNCH, places, *map(str, numbers)]
        environment = {**kept, **SINGLE_THREADED}
        wrapped = self.confinement.level == 2
        if wrapped:
            python = Path(sys.executable)
            settings = [path for path in (Path(sys.prefix) / "pyvenv.cfg",) if path.exists()]
            seen = [*landlock.readable(), python, python.resolve(), *settings]
            course = landlock.carried_course()
            words = [*bubblewrap.command(seen, environment, course if course.exists() else None), *words]
        process = subprocess.Popen(
            words,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment,
            # Bubblewrap's processes form a group, which is what is killed; a bare zygote makes a session by itself.
            start_new_session=wrapped,
        )
        # This class waits for the process itself; subprocess need not warn that it still runs.
        process.returncode = 0
        return process.pid

    def _exchange(self, message: dict[str, Any], descriptor: int | None = None) -> dict[str, Any]:
        with self._lock:
            try:
                return self._ask(message, descriptor)
            except (OSError, EOFError, ValueError):
                self._stop()
                self.start_method = "spawn"
                self._start()
                return self._ask(message, descriptor) if "birth" in message else {"status": None}

    def _ask(self, message: dict[str, Any], descriptor: int | None) -> dict[str, Any]:
        if self._control is None:
            raise AutogradCheckError("expected an open zygote, got a closed one; make a new one")
        socket.send_fds(self._control, [json.dumps(message).encode()], [] if descriptor is None else [descriptor])
        return self._read()

    def _read(self) -> dict[str, Any]:
        control = self._control
        if control is None:
            raise EOFError
        answer = b""
        handles: list[int] = []
        try:
            while not answer.endswith(b"\n"):
                piece, received, _, _ = socket.recv_fds(control, 4096, 1)
                handles += received
                if not piece:
                    raise EOFError
                answer += piece
            record = json.loads(answer)
            if not isinstance(record, dict):
                raise ValueError("expected a record")
            return {**record, "here": _number_here(handles[0])} if handles and self.confinement.level == 2 else record
        finally:
            for handle in handles:
                os.close(handle)

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process:
            _wait_or_kill(self._process)
            self._process = 0


def can_fork() -> bool:
    """Whether this process may be forked and go on using torch: Linux, and a single thread up to now."""
    try:
        return limits.linux() and len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def _number_here(handle: int) -> int:
    """The number that the process of a pidfd has for this process."""
    lines = Path(f"/proc/self/fdinfo/{handle}").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pid:"))


def _wait_or_kill(pid: int, patience: float = 2.0) -> None:
    """A zygote that lost its grader ends by itself; one that does not is killed."""
    pause = threading.Event()
    for _ in range(int(patience / 0.005)):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                pause.wait(0.005)
                continue
        return
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
