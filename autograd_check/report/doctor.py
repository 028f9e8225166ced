"""What this machine has: versions, the course, optional parts, and the layers of isolation."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from autograd_check.course.outline import find_course, read_outline
from autograd_check.errors import AutogradCheckError
from autograd_check.run import confine
from autograd_check.run.zygote import Zygote

EXTRAS = {
    "train": ("sklearn", "matplotlib"),
    "derive": ("sympy",),
    "notebook": ("jupytext", "nbclient"),
    "cluster": ("distributed",),
}
LEVELS = {
    0: "students' code is not confined here: grade only files of people you trust (`--allow-unsandboxed`)",
    1: "a class can be graded here: the kernel confines students' code (layer 1)",
    2: "a class can be graded here: the kernel and bubblewrap confine students' code (layer 2)",
}
PACKAGES = ("autograd_check", "torch", "numpy", "typer", "rich")


@dataclass(frozen=True)
class Examination:
    """What was found; `problems` are sentences that say what is wrong and what to do."""

    python: str
    system: str
    versions: dict[str, str]
    threads: int
    course: str
    extras: dict[str, bool]
    isolation: str
    layers: confine.Isolation
    problems: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether lessons can be checked here."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {"schema": 1, **asdict(self), "layers": self.layers.to_dict(), "problems": list(self.problems)}


def examine(course: Path | None) -> Examination:
    """Look at this machine, and at the course in a folder (by default the nearest from here upward)."""
    problems: list[str] = []
    isolation = place = ""
    try:
        outline = read_outline(find_course(Path.cwd()) if course is None else course)
        place = f"{len(outline.lessons)} lessons in {outline.root}"
    except AutogradCheckError as error:
        problems.append(str(error))
    try:
        with Zygote() as zygote:
            isolation = zygote.isolation
    except (AutogradCheckError, OSError) as error:
        problems.append(f"Students' code cannot be run in a process of its own: {error}")
    return Examination(
        platform.python_version(),
        f"{platform.system()} {platform.machine()}",
        {name: _version(name) for name in PACKAGES},
        torch.get_num_threads(),
        place,
        {extra: all(importlib.util.find_spec(name) for name in names) for extra, names in EXTRAS.items()},
        isolation,
        confine.probe(),
        tuple(problems),
    )


def render_examination(found: Examination) -> str:
    """The examination as text."""
    missing = [extra for extra, there in found.extras.items() if not there]
    lines = [
        f"python     {found.python} on {found.system}, {found.threads} thread{'s' * (found.threads != 1)} for torch",
        *(f"{name:<15}{number}" for name, number in found.versions.items()),
        f"course     {found.course or 'none here'}",
        f"isolation  {found.isolation or 'none'}",
        *(
            f"           holds: {layer.name}{f' ({layer.detail})' * bool(layer.detail)}"
            for layer in found.layers.layers
            if layer.holds
        ),
        *(f"           missing: {reason}" for reason in found.layers.missing()),
        f"           {LEVELS[found.layers.level]}",
        f"extras     {', '.join(extra for extra, there in found.extras.items() if there) or 'none'}",
    ]
    if missing:
        lines.append(f"           not installed: {', '.join(missing)}; pip install 'autograd-check[{','.join(missing)}]'")
    lines += [f"problem    {problem}" for problem in found.problems]
    return "\n".join([*lines, "Everything needed is here." if found.healthy else "Something needs fixing."])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
