"""The zygote's own process: torch is warm, and every request forks a process for one student's file.

It holds no secrets, runs no student code itself, and is the parent of all that do: so it is the one that can end them
without any danger of hitting a stranger who was given the same number.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from autograd_check.run import huge_pages, limits
from autograd_check.run.confine import Confinement
from autograd_check.run.operations import OperationRecorder
from autograd_check.run.student import become_student

IDLE = 0.02
"""Seconds without a request after which the next thing is warmed."""

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
        self._allowance = allowance
        self._confinement = confinement
        self._living: set[int] = set()
        self._births = 0
        self._warming = warm_up()

    def run(self) -> None:
        """Serve until the grader hangs up."""
        self._say({"ready": os.getpid()})
        try:
            while True:
                while self._births >= AGAIN and not select.select([self._control], [], [], IDLE)[0]:
                    if next(self._warming, None) is None:
                        break
                message, descriptors, _, _ = socket.recv_fds(self._control, 4096, 1)
                if not message:
                    return
                request = json.loads(message)
                if "end" in request:
                    self._say({"status": self._end(int(request["end"]), float(request["grace"]))})
                else:
                    self._tell_birth(self._fork(descriptors[0]))
        finally:
            for pid in list(self._living):
                self._end(pid, 0.0)

    def _say(self, message: dict[str, Any]) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")

    def _tell_birth(self, pid: int) -> None:
        """Its number, and a handle by which the grader finds the number that it has in the grader's own namespace."""
        message = json.dumps({"pid": pid}).encode() + b"\n"
        try:
            handle = os.pidfd_open(pid)
        except (AttributeError, OSError):
            self._control.sendall(message)
            return
        socket.send_fds(self._control, [message], [handle])
        os.close(handle)

    def _fork(self, descriptor: int) -> int:
        self._births += 1
        if self._births == MANY:
            self._settle()
        pid = os.fork()
        if pid == 0:
            become_student(descriptor, self._allowance, self._confinement)
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
        # The dead leader still holds the group's number, so the rest of the group can be ended safely.
        for end in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._living.discard(pid)
        self._end_strays()
        return os.waitstatus_to_exitcode(status) if alone else None

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


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _children() -> set[int]:
    try:
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    except OSError:
        return set()


def warm_up() -> Iterator[str]:
    """Run once what costs most the first time, one thing a step, so that forked processes find it done."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.rand((4, 4), generator=generator, dtype=torch.float64)

    def tape() -> None:
        root = matrix.clone().requires_grad_()
        torch.autograd.grad((root @ root).sum(), root)

    def record() -> None:
        with OperationRecorder():
            (matrix @ matrix).sum()

    steps: tuple[Callable[[], Any], ...] = (
        lambda: (matrix @ matrix, matrix.sum(0), matrix.exp(), matrix[matrix > 0.5], torch.equal(matrix, matrix)),
        lambda: torch.einsum("ij,jk->ik", matrix, matrix),
        record,
        tape,
        lambda: torch.func.vmap(lambda row: row * 2)(matrix),
        lambda: torch.nn.functional.conv2d(matrix[None, None], matrix[None, None, :2, :2]),
    )
    for number, step in enumerate(steps):
        with warnings.catch_warnings(), torch.no_grad() if step is not tape else torch.enable_grad():
            warnings.simplefilter("ignore")
            step()
        yield f"warmed {number + 1} of {len(steps)}"


def main() -> None:
    """Entry of a zygote started as a new interpreter: `descriptor memory cpu files` on the command line."""
    descriptor, memory, cpu, files = map(int, sys.argv[-4:])
    serve(descriptor, limits.Allowance(memory, cpu, files))
