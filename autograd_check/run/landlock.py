"""Landlock, by its system calls: a process may read below the folders that it is given, and reach nothing else by name.

Source: https://docs.kernel.org/userspace-api/landlock.html. Its calls have the same numbers on every machine.
"""

from __future__ import annotations

import os
import struct
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograd_check.run.limits import linux, system_call

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, PATH_BENEATH = 1, 1

READ_FILE, READ_DIR = 1 << 2, 1 << 3
FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""Rights over files that can be taken away, by the first version (ABI) that knows them."""
TCP, TCP_SINCE = 0b11, 4
"""To bind and to connect."""
SCOPES, SCOPES_SINCE = 0b11, 6
"""Abstract sockets of, and signals to, processes outside."""


def version() -> int:
    """The version of Landlock's interface (ABI) that the kernel offers; 0 where it has none or keeps it switched off."""
    if not linux():
        return 0
    try:
        return system_call(CREATE_RULESET, None, 0, ASK_VERSION)
    except OSError:
        return 0


def withheld(abi: int) -> tuple[str, ...]:
    """What a version takes away, by name: writes always, TCP and signals in newer kernels."""
    names = ["files beyond python and the system's libraries", "every write"]
    names += ["TCP"] if abi >= TCP_SINCE else []
    return (*names, "signals to others") if abi >= SCOPES_SINCE else tuple(names)


def readable() -> Iterator[Path]:
    """What student code may read: python, its packages, this package, and the system's libraries. No home, no course, no /proc."""
    named = sysconfig.get_paths()
    base = Path(sys.base_prefix)
    folders = [named[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [entry for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")]
    folders += [str(folder) for folder in (base / "lib", base / "lib64", Path(__file__).parents[1])]
    system = "/usr/lib /usr/lib64 /usr/local/lib /usr/share/zoneinfo /lib /lib64 /etc/ld.so.cache /etc/localtime /dev/urandom"
    for path in map(Path, [*folders, *system.split()]):
        if path.exists():
            yield path


def carried_course() -> Path:
    """Where an installed package carries its course, solutions and all: no student code may read there."""
    return Path(__file__).resolve().parents[1] / "curriculum"


def around(paths: Iterable[Path], hidden: Path) -> Iterator[tuple[Path, int]]:
    """Paths and rights by which everything below `paths` may be read but what is below `hidden`, which may be listed.

    Rights only add up on the way down: so a folder above `hidden` may be listed, and its other entries are read one by one.
    """
    for path in paths:
        real = path.resolve()
        if not hidden.is_relative_to(real):
            if not real.is_relative_to(hidden):
                yield path, READ_FILE | READ_DIR if path.is_dir() else READ_FILE
        elif real != hidden:
            yield path, READ_DIR
            yield from around((entry for entry in real.iterdir() if not entry.is_symlink() or _beside(entry, hidden)), hidden)


def _beside(link: Path, hidden: Path) -> bool:
    """Whether a link leads neither to `hidden` nor above it, where it might go round in a circle, and leads somewhere."""
    return link.exists() and not hidden.is_relative_to(link.resolve())


def ruleset(paths: Iterable[Path], hidden: Path | None = None) -> int:
    """A descriptor of the rules: read below `paths` (not below `hidden`), and nothing else.

    It can be made once and put on many processes. Raises OSError where the kernel refuses.
    """
    abi = version()
    rights = FILES[max(known for known in FILES if known <= max(abi, 1))]
    fields = [rights, *([TCP] if abi >= TCP_SINCE else []), *([SCOPES] if abi >= SCOPES_SINCE else [])]
    attribute = struct.pack(f"{len(fields)}Q", *fields)
    rules = system_call(CREATE_RULESET, attribute, len(attribute), 0)
    try:
        for path, rights_below in set(around(paths, hidden or carried_course())):
            allow_reading(rules, path, rights_below)
    except OSError:
        os.close(rules)
        raise
    return rules


def allow_reading(rules: int, path: Path, rights: int) -> None:
    """Add rights to one file, or to a folder and everything below it."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        system_call(ADD_RULE, rules, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def restrict(rules: int) -> None:
    """Put the rules on this process and its future children, for good. It must have given up new privileges before."""
    system_call(RESTRICT_SELF, rules, 0)
