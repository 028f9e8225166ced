"""What keeps student code in: layers that a process puts on itself before the code runs, and what is known of them here.

Layer 1 needs no root and no container: no new privileges, a filter of system calls (`seccomp`), Landlock (`landlock`), on
top of the limits that hold everywhere (`limits`). Layer 2 is bubblewrap around the zygote (`bubblewrap`). Below layer 1 the
process, its limits and the grader's deadline hold off accidents, not attacks: for trusted code only.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any, Literal

from autograd_check.run import bubblewrap, landlock, limits, seccomp

SECCOMP, LANDLOCK, NO_NEW_PRIVILEGES, BUBBLEWRAP = "seccomp", "Landlock", "no new privileges", "bubblewrap"


@dataclass(frozen=True)
class Layer:
    """One thing that keeps student code in: whether it holds here, and what it does, or why it is missing."""

    name: str
    holds: bool
    detail: str = ""


@dataclass(frozen=True)
class Isolation:
    """All layers, those that hold and those that are missing."""

    layers: tuple[Layer, ...]

    @property
    def level(self) -> Literal[0, 1, 2]:
        """0: for trusted code only; 1: confined by the kernel; 2: and in namespaces of its own."""
        held = {layer.name for layer in self.layers if layer.holds}
        if not held >= {NO_NEW_PRIVILEGES, SECCOMP, LANDLOCK}:
            return 0
        return 2 if BUBBLEWRAP in held else 1

    def describe(self) -> str:
        """What holds, in one line, for the record of a result: `own process; rlimits; …; layer 1`."""
        held = [layer.name for layer in self.layers if layer.holds]
        return "; ".join([*held, f"layer {self.level}" if self.level else "trusted code only"])

    def missing(self) -> tuple[str, ...]:
        """What does not hold, each with the reason: `Landlock: the kernel does not offer it (…)`."""
        return tuple(f"{layer.name}: {layer.detail}" for layer in self.layers if not layer.holds)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {"level": self.level, "layers": [vars(layer) for layer in self.layers]}


def probe(*, outer: bool = True) -> Isolation:
    """What will hold for student code on this machine, asked of the kernel (microseconds; bubblewrap once, 20 ms).

    `outer` says whether the zygote is spawned, so that bubblewrap can be put around it; one that is forked stays outside.
    """
    within = bubblewrap.trouble() if outer else "the zygote is forked from the grader, to start in milliseconds"
    return Isolation(
        (
            Layer("own process", True),
            Layer("rlimits", True, "memory, processor time, no files, no children"),
            Layer(NO_NEW_PRIVILEGES, limits.linux(), "" if limits.linux() else "only Linux has them"),
            _seccomp(),
            _landlock(),
            *_user(not within),
            Layer(BUBBLEWRAP, not within, within or "namespaces of its own: no network, no other processes, no home"),
        )
    )


def _seccomp() -> Layer:
    if not limits.linux():
        return Layer(SECCOMP, False, "only Linux has it")
    if seccomp.machine() is None:
        known = " and ".join(seccomp.MACHINES)
        return Layer(SECCOMP, False, f"its filter is written for {known} only, 64 bits")
    if not seccomp.available():
        return Layer(SECCOMP, False, "the kernel, or what this runs in, does not let a filter be loaded")
    return Layer(SECCOMP, True, "no sockets, processes, threads or signals to others; nothing opened for writing")


def _landlock() -> Layer:
    abi = landlock.version()
    if not abi:
        reason = "the kernel does not offer it (Linux 5.13 or newer, with landlock in /sys/kernel/security/lsm)"
        return Layer(LANDLOCK, False, reason if limits.linux() else "only Linux has it")
    return Layer(LANDLOCK, True, f"version {abi} takes away {', '.join(landlock.withheld(abi))}")


def _user(within: bool) -> tuple[Layer, ...]:
    """A spare user, where there is one to leave: bubblewrap's own namespace knows no other user."""
    root = limits.linux() and os.geteuid() == 0
    return (Layer("spare uid", True, "each process is a user of its own"),) if root and not within else ()


@dataclass(frozen=True)
class Confinement:
    """What a zygote prepares once for all processes that it forks: `rules` is a descriptor that they inherit.

    `filter` is the filter of system calls without a process's number; None where there is none.
    """

    rules: int | None
    filter: bytes | None

    @classmethod
    def prepare(cls) -> Confinement:
        """Whatever this machine has; raises OSError where it offers a layer and then refuses it."""
        rules = landlock.ruleset(landlock.readable()) if landlock.version() else None
        here = seccomp.machine()
        return cls(rules, seccomp.template(here) if here is not None and seccomp.available() else None)

    def descriptors(self) -> set[int]:
        """Those that must stay open until `apply`."""
        return set() if self.rules is None else {self.rules}

    def apply(self) -> None:
        """Confine this process, for good, after `limits.apply`. Raises OSError: then student code must not run in it."""
        if self.rules is not None:
            landlock.restrict(self.rules)
            os.close(self.rules)
        if self.filter is not None:
            seccomp.load(seccomp.filled(self.filter, os.getpid()))

    def close(self) -> None:
        """Forget the rules."""
        if self.rules is not None:
            with contextlib.suppress(OSError):
                os.close(self.rules)
