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


def saves(outline: Outline, stop: Event) -> Iterator[tuple[str, ...]]:
    """Names of lessons whose files were written, replaced by renaming, moved or deleted, until `stop` is set.

    Folders are watched and not files: many editors save into a new file and rename it.
    """
    names = {entry.stub: entry.name for entry in outline.lessons}
    folders = {unit for path in names for unit in (path.parent, path.parent.parent) if unit.is_dir()}
    changed = watch(
        *folders,
        watch_filter=None,
        recursive=False,
        stop_event=stop,
        raise_interrupt=False,
        step=STEP,
        debounce=DEBOUNCE,
        rust_timeout=500,
    )
    for changes in changed:
        saved = {names[Path(path)]: None for _, path in changes if Path(path) in names}
        if saved:
            yield tuple(saved)
