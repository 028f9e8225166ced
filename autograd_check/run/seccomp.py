"""The system calls that student code may make, as a filter for the kernel: what computing and reading take, and no more.

The filter is a program of classic BPF, written here so that nothing has to be installed. Everything that is not listed
fails with EPERM: sockets, new files, executing, tracing, other processes' memory and signals to them, io_uring, bpf.
Source: https://docs.kernel.org/userspace-api/seccomp_filter.html; numbers of calls from the kernel's `unistd.h`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass, field

from autograd_check.run.limits import linux, system_call

SET_MODE_FILTER, GET_ACTION_AVAIL = 1, 2
KILL, FAIL, ALLOW = 0x80000000, 0x00050000, 0x7FFF0000

# Fields of the kernel's `struct seccomp_data`, which the program reads.
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
# Instructions: load a word, compare (equal, at least, any bit set), return.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

FREE = [
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "close",
    "fstat",
    "lseek",
    "getdents64",
    "newfstatat",
    "statx",
    "readlinkat",
    "faccessat",
    "faccessat2",
    "getcwd",
    "fadvise64",
    "dup",
    "mmap",
    "mprotect",
    "munmap",
    "brk",
    "mremap",
    "madvise",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "futex",
    "sched_yield",
    "sched_getaffinity",
    "getcpu",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "times",
    "getrusage",
    "sysinfo",
    "uname",
    "getpid",
    "gettid",
    "getppid",
    "getpgid",
    "getsid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getrandom",
    "sendto",
    "recvfrom",
    "shutdown",
    "ppoll",
    "pselect6",
    "set_robust_list",
    "set_tid_address",
    "rseq",
    "membarrier",
    "restart_syscall",
    "exit",
    "exit_group",
    "stat",
    "lstat",
    "access",
    "readlink",
    "poll",
    "select",
    "getdents",
    "time",
    "getpgrp",
]
"""Calls that may be made with any arguments: they reach nothing beyond the process and what Landlock lets it read.

`sendto` and `recvfrom` are how the one socket is used that the process has; no other can be made.
"""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FCNTL = (0, 1, 2, 3, 4, 1030)
"""F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: none that has signals sent to somebody."""
IOCTL = (0x5401, 0x5421, 0x5450, 0x5451)
"""TCGETS, FIONBIO, FIONCLEX, FIOCLEX: whether it is a terminal, and flags of a descriptor."""
PRCTL = (15, 16)
"""PR_SET_NAME, PR_GET_NAME: not the signal for a dead parent, nor whether it may be traced."""


@dataclass(frozen=True)
class Machine:
    """What differs from one processor to another: its number in the kernel, and the numbers of its calls."""

    number: int
    calls: dict[str, int]
    foreign: int | None = field(default=None)
    """Numbers of calls from here on belong to another ABI of the same processor."""


def _calls(text: str) -> dict[str, int]:
    words = text.split()
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))


X86_64 = Machine(
    0xC000003E,
    _calls(
        """read 0 write 1 open 2 close 3 stat 4 fstat 5 lstat 6 poll 7 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12
        rt_sigaction 13 rt_sigprocmask 14 rt_sigreturn 15 ioctl 16 pread64 17 readv 19 writev 20 access 21 select 23
        sched_yield 24 mremap 25 madvise 28 dup 32 nanosleep 35 getpid 39 sendto 44 recvfrom 45 shutdown 48 clone 56 fork 57
        vfork 58 exit 60 kill 62 uname 63 fcntl 72 getdents 78 getcwd 79 readlink 89 gettimeofday 96 getrusage 98
        sysinfo 99 times 100 getuid 102 getgid 104 geteuid 107 getegid 108 getppid 110 getpgrp 111 getgroups 115 getpgid 121
        getsid 124 sigaltstack 131 prctl 157 gettid 186 time 201 futex 202 sched_getaffinity 204 getdents64 217
        set_tid_address 218 restart_syscall 219 fadvise64 221 clock_gettime 228 clock_getres 229 clock_nanosleep 230
        exit_group 231 tgkill 234 openat 257 newfstatat 262 readlinkat 267 faccessat 269 pselect6 270 ppoll 271
        set_robust_list 273 prlimit64 302 getcpu 309 seccomp 317 getrandom 318 membarrier 324 statx 332 rseq 334 clone3 435
        openat2 437 faccessat2 439"""
    ),
    foreign=0x40000000,
)

AARCH64 = Machine(
    0xC00000B7,
    _calls(
        """getcwd 17 dup 23 fcntl 25 ioctl 29 faccessat 48 openat 56 close 57 getdents64 61 lseek 62 read 63 write 64 readv 65
        writev 66 pread64 67 pselect6 72 ppoll 73 readlinkat 78 newfstatat 79 fstat 80 exit 93 exit_group 94
        set_tid_address 96 futex 98 set_robust_list 99 nanosleep 101 clock_gettime 113 clock_getres 114 clock_nanosleep 115
        sched_getaffinity 123 sched_yield 124 restart_syscall 128 kill 129 tgkill 131 sigaltstack 132 rt_sigaction 134
        rt_sigprocmask 135 rt_sigreturn 139 times 153 getpgid 155 getsid 156 getgroups 158 uname 160 getrusage 165 prctl 167
        getcpu 168 gettimeofday 169 getpid 172 getppid 173 getuid 174 geteuid 175 getgid 176 getegid 177 gettid 178
        sysinfo 179 sendto 206 recvfrom 207 shutdown 210 brk 214 munmap 215 mremap 216 clone 220 mmap 222 fadvise64 223
        mprotect 226 madvise 233 prlimit64 261 seccomp 277 getrandom 278 membarrier 283 statx 291 rseq 293 clone3 435
        openat2 437 faccessat2 439"""
    ),
)

MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}


def machine() -> Machine | None:
    """This processor; None where no filter is written for it."""
    if not linux() or sys.maxsize < 2**32 or sys.byteorder != "little":
        return None
    return MACHINES.get(platform.machine())


def available() -> bool:
    """Whether a filter is written for this machine and its kernel takes one."""
    here = machine()
    if here is None:
        return False
    try:
        return all(
            system_call(here.calls["seccomp"], GET_ACTION_AVAIL, 0, struct.pack("I", action)) == 0 for action in (FAIL, KILL)
        )
    except OSError:
        return False


def program(here: Machine, pid: int) -> bytes:
    """The filter for a process with that number: the only one that it may send signals to."""
    signals = [_if_argument(here, name, 0, (pid,)) for name in ("kill", "tgkill")]
    opening = [_unless_bits(here, "openat", 2, WRITING), _unless_bits(here, "open", 1, WRITING)]
    commands = [_if_argument(here, "fcntl", 1, FCNTL), _if_argument(here, "ioctl", 1, IOCTL)]
    own = [_if_argument(here, "prctl", 0, PRCTL), _if_argument(here, "prlimit64", 0, (0, pid))]
    # The C library asks for threads by clone3 first, and by clone where that is not there.
    absent = [_answer(here, name, FAIL | errno.ENOSYS) for name in ("clone3", "openat2")]
    children = [_answer(here, name, FAIL | errno.EAGAIN) for name in ("clone", "fork", "vfork")]
    free = [_answer(here, name, ALLOW) for name in FREE]
    parts = [*free, *signals, *opening, *commands, *own, *absent, *children]
    return b"".join([_preamble(here), *parts, _step(RETURN, FAIL | errno.EPERM)])


NOBODYS = 0x7FFFFFFE
"""Stands for the number of a process: greater than any."""


def template(here: Machine) -> bytes:
    """The filter for a process whose number is not known yet: to write it takes longer than to fill it in."""
    return program(here, NOBODYS)


def filled(code: bytes, pid: int) -> bytes:
    """A template for the process with that number."""
    return code.replace(struct.pack("I", NOBODYS), struct.pack("I", pid))


def load(code: bytes) -> None:
    """Put a filter on this process, for good. It must have given up new privileges before; raises OSError."""
    here = machine()
    if here is None:
        raise OSError(errno.ENOSYS, "no filter is written for this machine")
    steps = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(steps))
    system_call(here.calls["seccomp"], SET_MODE_FILTER, 0, header)


def _step(operation: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """One instruction; a comparison goes `then` or `otherwise` so many instructions further on."""
    return struct.pack("HBBI", operation, then, otherwise, value)


def _preamble(here: Machine) -> bytes:
    """End a process that calls as another processor would, whose numbers mean other calls; then load the number."""
    ended = _step(RETURN, KILL)
    code = _step(LOAD, ARCHITECTURE) + _step(EQUAL, here.number, 1, 0) + ended + _step(LOAD, NUMBER)
    return code if here.foreign is None else code + _step(AT_LEAST, here.foreign, 0, 1) + ended


def _answer(here: Machine, name: str, answer: int) -> bytes:
    """That call gets that answer. A name that the machine does not have needs no rule."""
    return _block(here, name, _step(RETURN, answer))


def _if_argument(here: Machine, name: str, position: int, values: tuple[int, ...]) -> bytes:
    """Allowed where one argument is one of some values. Such arguments are ints: the kernel looks at the same 32 bits."""
    code = _step(LOAD, ARGUMENTS + 8 * position)
    for number, value in enumerate(values):
        code += _step(EQUAL, value, len(values) - number, 0)
    return _block(here, name, code + _step(RETURN, FAIL | errno.EPERM) + _step(RETURN, ALLOW))


def _unless_bits(here: Machine, name: str, position: int, bits: int) -> bytes:
    """Allowed where none of some bits is set in one argument."""
    code = _step(LOAD, ARGUMENTS + 8 * position) + _step(ANY_BIT, bits, 0, 1)
    return _block(here, name, code + _step(RETURN, FAIL | errno.EACCES) + _step(RETURN, ALLOW))


def _block(here: Machine, name: str, code: bytes) -> bytes:
    """Instructions for one call, skipped for every other. They end in a return: what they load is not looked at again."""
    return _step(EQUAL, here.calls[name], 0, len(code) // 8) + code if name in here.calls else b""
