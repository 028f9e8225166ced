"""What `watch` rests on: a course and a zygote kept warm, and the lessons whose files were saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import perf_counter

from watchfiles import watch

from autograd_check.course.load import Course
from autograd_check.course.outline import LessonEntry, Outline
from autograd_check.course.progress import Stage, stages
from autograd_check.grade.checking import remember
from autograd_check.grade.pictures import Picture
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.session import Session
from autograd_check.grade.targets import folder_targets
from autograd_check.run.zygote import Zygote

STEP, DEBOUNCE = 5, 50
"""Milliseconds without a further change after which a save is told, and after which it is told anyway."""


@dataclass(frozen=True)
class Checked:
    """A verdict, the seconds that it took, and where the lessons of the course stand now."""

    record: LessonRecord
    seconds: float
    standing: Mapping[str, Stage]


class Desk:
    """Grades a student's own files again and again, and keeps what that needs warm: torch, the lessons, the references' values.

    Make it before anything that starts a thread: the zygote is forked from this process. Close it after use (or `with`).
    """

    def __init__(self, outline: Outline, *, seed: int = 0) -> None:
        self.course = Course(outline)
        self._zygote = Zygote()
        self._session = Session(self.course, self._zygote, seed)

    def check(self, name: str) -> Checked:
        """The verdict on the file of a lesson as it is now; it is remembered as `check` remembers its own."""
        started = perf_counter()
        outline = self.course.outline
        (target,) = folder_targets(outline, [name], None)
        record = self._session.grade_file(name, target.path, target.shown)
        seconds = perf_counter() - started
        remember(outline.root, [target], [record])
        return Checked(record, seconds, stages(outline))

    def pictures(self, entry: LessonEntry) -> list[Picture]:
        """See `Session.picture_file`."""
        return self._session.picture_file(entry.name, entry.stub)

    def close(self) -> None:
        """End the zygote."""
        self._zygote.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


Version = tuple[int, int] | None
"""What changes with every save of a file; None where there is no file."""


def version(path: Path) -> Version:
    """The version of a file as it is now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def versions(outline: Outline) -> dict[str, Version]:
    """The versions of all lessons' files."""
    return {entry.name: version(entry.stub) for entry in outline.lessons}


def saves(outline: Outline, stop: Event, since: Mapping[str, Version]) -> Iterator[tuple[str, ...]]:
    """Names of lessons whose files are not what they were (`since`, then the last time), until `stop` is set.

    They were written, replaced by renaming, moved or deleted. Folders are watched and not files: many editors save into a new
    file and rename it. Twice a second the files themselves are looked at: not every file system tells.
    """
    stubs = {entry.name: entry.stub for entry in outline.lessons}
    folders = {place for path in stubs.values() for place in (path.parent, path.parent.parent) if place.is_dir()}
    seen = dict(since)
    for _ in watch(
        *folders,
        watch_filter=None,
        recursive=False,
        stop_event=stop,
        raise_interrupt=False,
        step=STEP,
        debounce=DEBOUNCE,
        rust_timeout=500,
        yield_on_timeout=True,
    ):
        now = {name: version(path) for name, path in stubs.items()}
        changed = tuple(name for name, found in now.items() if found != seen.get(name))
        seen = now
        if changed:
            yield changed
