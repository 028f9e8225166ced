"""The zygote's own process: torch is warm, and every request forks a process for one student's file.

It holds no secrets, runs no student code itself, and is the parent of all that do: so it is the one that can end them
without any danger of hitting a stranger who was given the same number.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from autograd_check.run import huge_pages, limits
from autograd_check.run.confine import Confinement
from autograd_check.run.control import Hearing, say
from autograd_check.run.student import Prepared, become_student, forget_environment
from autograd_check.run.warming import warm_up
from autograd_check.run.wire import REQUEST, unpack

IDLE = 0.02
"""Seconds without a request after which the next thing is warmed."""

SHORT = 1e-3
"""Seconds between two looks at what was killed."""

AGAIN = 2
"""A process that was forked this often will be asked again: before, what is warmed would serve nobody."""

MANY = 10
"""With so many processes forked, more will come: it is worth half a second to make each of them cheaper."""


def serve(descriptor: int, allowance: limits.Allowance) -> None:
    """Turn this process into a zygote that serves the control socket `descriptor`. Never returns."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        limits.silence((0, 1))
        limits.keep_only({descriptor})
        forget_environment()
        limits.prctl(limits.PR_SET_CHILD_SUBREAPER, 1)
        # Nobody may trace it or look into its memory, not even a process of the same user.
        limits.prctl(limits.PR_SET_DUMPABLE, 0)
        # Before any operation: a process that has worked with several threads cannot be forked safely.
        torch.set_num_threads(1)
        torch.default_generator.manual_seed(0)  # torch.manual_seed would import the compiler, a second
        limits.python_is_closed()
        # Not collected first: that writes to every page of this fork, 0.2 s, for somebody who may want one process.
        gc.freeze()
        with socket.socket(fileno=descriptor) as control:
            _Nursery(control, allowance, Confinement.prepare()).run()
        status = 0
    finally:
        os._exit(status)


class _Nursery:
    """Forks, and ends what it forked."""

    def __init__(self, control: socket.socket, allowance: limits.Allowance, confinement: Confinement) -> None:
        self._control = control
        self._hearing = Hearing(control)
        self._allowance = allowance
        self._confinement = confinement
        self._living: set[int] = set()
        self._dying: list[int] = []
        self._taught: list[Any] = []
        self._prepared = Prepared(self._taught)
        self._births = 0
        self._warming = warm_up()

    def run(self) -> None:
        """Serve until the grader hangs up."""
        say(self._control, {"ready": os.getpid()})
        try:
            while True:
                self._wait()
                request = self._hearing.message()
                if "birth" in request:
                    self._tell_birth(self._fork(self._hearing.descriptors.popleft()))
                elif "end" in request:
                    say(self._control, {"status": self._end(int(request["end"]), float(request["grace"]))})
                elif "dismiss" in request:
                    self._dismiss(int(request["dismiss"]))
                else:
                    self._taught.append(unpack(self._hearing.exactly(int(request["teach"])), REQUEST))
        except EOFError:
            return
        finally:
            for pid in list(self._living):
                self._end(pid, 0.0)

    def _wait(self) -> None:
        """Until the grader says something: do meanwhile what nobody should have to wait for."""
        if self._dying:
            self._reap()
        while self._births >= AGAIN and not self._hearing.waiting(IDLE):
            if next(self._warming, None) is None:
                return

    def _tell_birth(self, pid: int) -> None:
        """Its number, what it knows, and a handle by which the grader finds the number that it has in its own namespace."""
        message = {"pid": pid, "taught": len(self._taught)}
        try:
            handle = os.pidfd_open(pid)
        except (AttributeError, OSError):
            say(self._control, message)
            return
        say(self._control, message, (handle,))
        os.close(handle)

    def _fork(self, descriptor: int) -> int:
        self._births += 1
        if self._births == MANY:
            self._settle()
        prepared = replace(self._prepared, size=limits.address_space())
        pid = os.fork()
        if pid == 0:
            become_student(descriptor, self._allowance, self._confinement, prepared)
        os.close(descriptor)
        self._living.add(pid)
        return pid

    def _settle(self) -> None:
        """Warm what is still cold, and keep all of it in few pages."""
        for _ in self._warming:
            pass
        gc.collect()
        gc.freeze()
        huge_pages.collapse()

    def _end(self, pid: int, grace: float) -> int | None:
        """Give a process `grace` seconds to end by itself, kill its group, and tell how it ended (None: it was killed)."""
        if pid not in self._living:
            return None
        until = time.monotonic() + grace
        alone = _has_ended(pid)
        while not alone and time.monotonic() < until:
            time.sleep(0.001)
            alone = _has_ended(pid)
        _kill(pid)
        _, status = os.waitpid(pid, 0)
        self._living.discard(pid)
        self._end_strays()
        return os.waitstatus_to_exitcode(status) if alone else None

    def _dismiss(self, pid: int) -> None:
        """Kill a process and its group; what is left of them is cleared away when nobody waits."""
        if pid in self._living:
            _kill(pid)
            self._dying.append(pid)

    def _reap(self) -> None:
        """Clear away what was killed, as long as nobody waits."""
        while self._dying and not self._hearing.waiting(SHORT):
            ended = {pid for pid in self._dying if os.waitpid(pid, os.WNOHANG)[0]}
            self._living -= ended
            self._dying = [pid for pid in self._dying if pid not in ended]
        if not self._dying:
            self._end_strays()

    def _end_strays(self) -> None:
        """Processes that left their group were handed to this one when their parent died."""
        for _ in range(100):
            strays = _children() - self._living
            if not strays:
                return
            for stray in strays:
                with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
                    os.kill(stray, signal.SIGKILL)
                    os.waitpid(stray, 0)


def _kill(pid: int) -> None:
    """Kill a process that is not waited for yet, and its group.

    Even a dead leader still holds the group's number, so the rest of the group can be ended safely.
    """
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _children() -> set[int]:
    try:
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    except OSError:
        return set()


def main() -> None:
    """Entry of a zygote started as a new interpreter: `descriptor memory cpu files` on the command line."""
    descriptor, memory, cpu, files = map(int, sys.argv[-4:])
    serve(descriptor, limits.Allowance(memory, cpu, files))
