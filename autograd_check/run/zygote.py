"""The grader's handle on a zygote: a warm process from which every student's process is forked."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

from autograd_check.errors import AutogradCheckError, WireError
from autograd_check.run import bubblewrap, confine, forkserver, landlock, limits
from autograd_check.run.control import Hearing, say
from autograd_check.run.deadline import DEADLINE, PATIENCE
from autograd_check.run.in_process import NOTHING
from autograd_check.run.isolated import Isolated, asked
from autograd_check.run.lending import Lender
from autograd_check.run.wire import REQUEST, pack
from autograd_check.verify.candidate import Question

STARTING = 300.0
"""Seconds that a zygote may take to start or to answer: it imports torch on a busy machine at worst."""

DIE_WITH_PARENT = "sys.platform == 'linux' and __import__('ctypes').CDLL(None).prctl(1, 9)"
"""Said first: a zygote whose grader is killed while it still imports torch would notice seconds later (PR_SET_PDEATHSIG)."""

LAUNCH = f"import sys; {DIE_WITH_PARENT}; sys.path[:0] = sys.argv[1].split('\\n'); from autograd_check.run.forkserver import main; main()"

ROOM = 64 << 20
"""Bytes of questions that a zygote is taught; it keeps them as long as it lives. What has no room is sent each time."""

SINGLE_THREADED = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Child:
    """A process for one student's file: its number here, the grader's end of its channel, and its number for the zygote.

    The two numbers differ where the zygote has a namespace of its own. It knows the first `taught` questions that its zygote,
    the one of the `start` with that number, was taught.
    """

    pid: int
    channel: socket.socket
    number: int
    taught: int
    start: int


@dataclass
class Ready:
    """A process that was asked for: the grader's end of its channel, and what the zygote has told of it."""

    channel: socket.socket
    told: dict[str, Any] = field(default_factory=dict)


class Zygote:
    """Starts processes for students' files: `with Zygote() as zygote, zygote.candidate(source, "a.py") as candidate: ...`.

    With `start="fork"` it is forked from this process, which costs milliseconds: do so right after `import torch`,
    before any course file is loaded (the fork holds what this process holds). Where this process already has several
    threads (a fork of it could hang), and with `start="spawn"`, it is a new interpreter, which costs an import of
    torch, and has bubblewrap around it where that works (unless `outer` is False). A zygote that has died is started anew
    by spawning. `confinement` says what keeps students' processes in.

    With `ahead` the process of the next file is forked, and confines itself, while the one before it runs: for many files.
    """

    def __init__(
        self,
        *,
        start: Literal["fork", "spawn"] = "fork",
        allowance: limits.Allowance | None = None,
        outer: bool = True,
        ahead: bool = False,
    ) -> None:
        self._allowance = allowance or limits.Allowance()
        self._outer = outer
        self._ahead = ahead
        self._lock = threading.Lock()
        self._process: int = 0
        self._control: socket.socket | None = None
        self._hearing: Hearing
        self._ready: Ready | None = None
        self._taught: WeakKeyDictionary[Question, int] = WeakKeyDictionary()
        self._lessons = self._bytes_taught = 0
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

    def prepare(self) -> None:
        """Have a process forked for the next file while the grader does something else; it waits until there is one."""
        with self._lock:
            self._order()

    def birth(self) -> Child:
        """A process for one student's file: the one that was prepared, or else a new one."""
        with self._lock:
            try:
                ready = self._hear_of(self._order())
            except (OSError, EOFError, ValueError):
                self._start_again()
                ready = self._hear_of(self._order())
            self._ready = None
            if self._ahead:
                self._order()
            start = self.starts
        told = ready.told
        return Child(int(told.get("here", told["pid"])), ready.channel, int(told["pid"]), int(told["taught"]), start)

    def end(self, child: Child, grace: float = 0.0) -> int | None:
        """End a student's process; the exit code (negative: a signal) if it ended by itself within `grace` seconds."""
        child.channel.close()
        if self._control is None:
            return None
        with self._lock:
            try:
                if self._ready is not None:
                    self._hear_of(self._ready)
                say(self._open_control(), {"end": child.number, "grace": grace})
                status = self._hearing.message()["status"]
            except (OSError, EOFError, ValueError):
                self._start_again()
                return None
        return None if status is None else int(status)

    def dismiss(self, child: Child) -> None:
        """End a student's process without waiting until it has ended."""
        child.channel.close()
        with self._lock, contextlib.suppress(OSError):  # a zygote that is gone has ended all its processes
            if self._control is not None:
                say(self._control, {"dismiss": child.number})

    def teach(self, question: Question) -> None:
        """Have a question known to the processes that are forked from now on, unless there is no room for it."""
        with self._lock:
            if question in self._taught:
                return
            try:
                frame = b"".join(pack(asked(question), REQUEST))
            except WireError:
                return
            if self._bytes_taught + len(frame) <= ROOM:
                with contextlib.suppress(OSError):  # a zygote that is gone is noticed by whoever waits for it
                    say(self._open_control(), {"teach": len(frame)}, payload=frame)
                self._taught[question] = self._lessons
                self._lessons += 1
                self._bytes_taught += len(frame)

    def number_of(self, question: Question, child: Child) -> int | None:
        """The number by which a process knows a question; None where it does not, as one of a zygote that has died since."""
        number = self._taught.get(question)
        return number if number is not None and child.start == self.starts and number < child.taught else None

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
        self._control, self._hearing = mine, Hearing(mine)
        self.starts += 1
        try:
            self._hearing.message()
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

    def _start_again(self) -> None:
        """Replace a zygote that has died: it was taught nothing, and what was ordered of the other will not come."""
        self._stop()
        self.start_method = "spawn"
        self._taught.clear()
        self._lessons = self._bytes_taught = 0
        self._start()

    def _open_control(self) -> socket.socket:
        if self._control is None:
            raise AutogradCheckError("expected an open zygote, got a closed one; make a new one")
        return self._control

    def _order(self) -> Ready:
        """The process that is ready, or will be soon."""
        control = self._open_control()
        if self._ready is None:
            mine, theirs = socket.socketpair()
            with theirs, contextlib.suppress(OSError):  # a zygote that is gone is noticed by whoever waits for it
                say(control, {"birth": True}, (theirs.fileno(),))
            self._ready = Ready(mine)
        return self._ready

    def _hear_of(self, ready: Ready) -> Ready:
        """Wait until the zygote has told of a process; where it is in another namespace, its number here."""
        if not ready.told:
            told = self._hearing.message()
            while self._hearing.descriptors:
                handle = self._hearing.descriptors.popleft()
                if self.confinement.level == 2:
                    told["here"] = _number_here(handle)
                os.close(handle)
            ready.told = told
        return ready

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
            while self._hearing.descriptors:
                os.close(self._hearing.descriptors.popleft())
        if self._ready is not None:
            self._ready.channel.close()
            self._ready = None
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
