"""What a student has done so far: a small state file beside the lessons folder, re-verified and never believed.

A verdict is kept with the hash of the file that it was given for. When the file has changed since, the verdict is history.
A state file that is missing, damaged or of another version counts as empty: progress is a comfort, not a record.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from autograd_check.course.files import digest, read_manifest, read_text, replace_text
from autograd_check.course.outline import LessonEntry, Outline

STATE_FILE = ".autograd_check.json"
VERSION = 1


@dataclass(frozen=True)
class Verified:
    """The last verdict on a lesson: status, points, and the hash of the file it was given for."""

    status: str
    score: float
    max_score: float
    digest: str


class Stage(StrEnum):
    """Where a lesson stands."""

    DONE = "done"
    FAILED = "failed"
    CHANGED = "changed since"
    BEGUN = "begun"
    OPEN = "open"


@dataclass(frozen=True)
class Progress:
    """Verdicts and hint positions by lesson name."""

    root: Path
    verified: Mapping[str, Verified] = field(default_factory=dict)
    hints: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Progress:
        """The progress kept in a course folder; empty where there is none that can be read."""
        try:
            state = json.loads((root / STATE_FILE).read_text(encoding="utf-8"))
            if state["version"] != VERSION:
                return cls(root)
            verified = {str(name): _verified(entry) for name, entry in state["lessons"].items()}
            hints = {str(name): int(count) for name, count in state["hints"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return cls(root)
        return cls(root, verified, hints)

    def with_verdict(self, name: str, verdict: Verified) -> Progress:
        """The same progress with one more verdict."""
        return replace(self, verified={**self.verified, name: verdict})

    def with_hints(self, name: str, shown: int) -> Progress:
        """The same progress with `shown` hints of a lesson read."""
        return replace(self, hints={**self.hints, name: shown})

    def next_hint(self, entry: LessonEntry) -> int:
        """How many of a lesson's hints to show now: one more than last time, or all."""
        return min(self.hints.get(entry.name, 0) + 1, len(entry.hints))

    def save(self) -> None:
        """Write the state file; in a folder that cannot be written to, progress is simply not kept."""
        lessons = {name: vars(verdict) for name, verdict in self.verified.items()}
        state = {"version": VERSION, "lessons": lessons, "hints": dict(self.hints)}
        with contextlib.suppress(OSError):
            replace_text(self.root / STATE_FILE, json.dumps(state, indent=1) + "\n")

    def stage(self, entry: LessonEntry, manifest: Mapping[str, str]) -> Stage:
        """Where a lesson stands, by its file as it is now; `manifest` holds the hashes of untouched stubs."""
        if not entry.stub.exists():
            return Stage.OPEN
        current = digest(read_text(entry.stub))
        verdict = self.verified.get(entry.name)
        untouched = manifest.get(entry.stub.relative_to(self.root).as_posix()) == current
        if verdict is None or untouched:
            return Stage.OPEN if untouched else Stage.BEGUN
        if verdict.digest != current:
            return Stage.CHANGED
        return Stage.DONE if verdict.status == "passed" else Stage.FAILED


def stages(outline: Outline) -> dict[str, Stage]:
    """Where every lesson of a course stands, by name, in order."""
    progress, manifest = Progress.read(outline.root), read_manifest(outline.root)
    return {entry.name: progress.stage(entry, manifest) for entry in outline.lessons}


def next_lesson(outline: Outline, standing: Mapping[str, Stage]) -> LessonEntry | None:
    """The first lesson that is not done; None when all are."""
    return next((entry for entry in outline.lessons if standing[entry.name] is not Stage.DONE), None)


def _verified(entry: Mapping[str, Any]) -> Verified:
    return Verified(str(entry["status"]), float(entry["score"]), float(entry["max_score"]), str(entry["digest"]))
