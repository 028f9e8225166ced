"""Limits that a process puts on itself before it runs student code: no files, no children, bounded memory, no privileges.

Rlimits, a session of its own, closed descriptors, and on Linux NO_NEW_PRIVS, no core or ptrace, and a spare uid where the
grader is root. They hold off accidents and rough code; `confine` adds what holds determined code.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import resource
import struct
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 8, 36, 38
SIGKILL = 9
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 1 << 2

SPARE_UID = 2_000_000
NOBODY = 65_534


@dataclass(frozen=True)
class Allowance:
    """What a process that runs student code may use.

    `memory` bytes beyond what it starts with, `cpu` seconds of processor time over its whole life, `files` open
    descriptors.
    """

    memory: int = 1 << 30
    cpu: int = 600
    files: int = 64


def linux() -> bool:
    """Whether Linux's own means are there."""
    return sys.platform.startswith("linux")


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def system_call(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """A system call of Linux by its number; raises OSError where it fails."""
    libc = _libc()
    wide = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    answer = libc.syscall(ctypes.c_long(number), *wide)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(answer)


def advise(start: int, size: int, advice: int) -> None:
    """Linux's madvise; raises OSError where it fails."""
    if _libc().madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), advice):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def prctl(option: int, value: int) -> None:
    """Linux's prctl with one argument; does nothing elsewhere."""
    if linux():
        _libc().prctl(option, value, 0, 0, 0)


@functools.cache
def python_is_closed() -> bool:
    """Whether python or its packages lie in a folder that not everybody may enter. Ask once before forking: it costs 4 ms."""
    places = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), __file__)
    return not all(folder.stat().st_mode & 0o001 for place in places for folder in Path(place).resolve().parents)


def keep_only(descriptors: set[int]) -> None:
    """Close every descriptor but these and the three standard ones."""
    ceiling = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)
    start = 3
    for descriptor in [*sorted(descriptors - {0, 1, 2}), ceiling]:
        os.closerange(start, descriptor)
        start = descriptor + 1


def silence(descriptors: tuple[int, ...]) -> None:
    """Point standard descriptors at nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    if null not in descriptors:
        os.close(null)


def apply(allowance: Allowance, size: int) -> None:
    """Put all limits on this process, for good. `size` is that of its address space now (`address_space`), 0 where it is not known."""
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CPU, allowance.cpu)
    _limit(resource.RLIMIT_NOFILE, allowance.files)
    if size:
        _limit(resource.RLIMIT_AS, size + allowance.memory)
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            _drop_root()
    _limit(resource.RLIMIT_NPROC, 0)
    # Dropping root clears the death signal and sets the dumpable flag anew, so once more.
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value))


def address_space() -> int:
    """Bytes of address space in use now (Linux), else 0."""
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return 0


def _drop_root() -> None:
    """Become a user that nobody else is. Reading anywhere is kept only where python itself lies in a closed folder."""
    keep_reading = python_is_closed() and linux()
    prctl(PR_SET_KEEPCAPS, int(keep_reading))
    os.setgroups([])
    uid = SPARE_UID + os.getpid()
    try:
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError:
        # A container may map only the first 65,536 users.
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if keep_reading:
        header = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION_3, 0))
        wanted = struct.pack("III", CAP_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH, 0) + bytes(12)
        _libc().capset(header, ctypes.create_string_buffer(wanted, len(wanted)))
