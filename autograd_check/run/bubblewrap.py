"""Bubblewrap around the zygote, where it is installed and may make namespaces: no network, no other processes, no files but
those that python needs.

Source: bwrap(1). Not given: `--die-with-parent`, which kills when the *thread* that started it ends (a pool's worker may
be one; the zygote ends when its control socket does), and `--new-session`, since the group is how all of it is ended.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograd_check.run.limits import linux

PATIENCE = 10.0
"""Seconds that bubblewrap may take to start `true`."""


def command(readable: Iterable[Path], environment: Mapping[str, str], hidden: Path | None = None) -> list[str]:
    """The words that go before a program's own: it sees these files, read-only, and this environment.

    An empty folder covers `hidden`, where that is below what is seen.
    """
    readable = sorted(set(readable))
    words = ["bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment.items():
        words += ["--setenv", name, value]
    # /tmp first: what is bound below it would be covered otherwise.
    words += ["--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
    for path in readable:
        if not path.is_relative_to("/dev"):  # a namespace has its own, and may not use those of others
            words += ["--ro-bind", str(path), str(path)]
    if hidden is not None and any(hidden.is_relative_to(path) for path in readable):
        words += ["--tmpfs", str(hidden)]
    return [*words, "--chdir", "/"]


@functools.cache
def trouble() -> str:
    """Why bubblewrap cannot be used here; "" where it can. Tried once."""
    if not linux():
        return "only Linux has it"
    if shutil.which("bwrap") is None:
        return "not installed (`apt install bubblewrap`)"
    attempt = [*command([Path("/")], {}), "true"]
    try:
        ran = subprocess.run(attempt, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError) as error:
        return f"it does not start: {error}"
    said = ran.stderr.strip().splitlines()
    return "" if ran.returncode == 0 else f"it may not make namespaces here ({said[-1] if said else ran.returncode})"
