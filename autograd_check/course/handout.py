"""The lessons folder: generated from the solutions, then the students' own.

`lessons/.generated.json` remembers the hash of every file as it was generated. So an outdated file can be told from an
edited one: the first is replaced, the second is never touched unless that is asked for, and then a backup is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from autograd_check.course.files import (
    back_up,
    digest,
    newest_backup,
    read_manifest,
    read_text,
    replace_text,
    write_manifest,
)
from autograd_check.course.load import Course
from autograd_check.course.outline import Outline
from autograd_check.course.stubs import make_stub
from autograd_check.course.syllabus import syllabus
from autograd_check.errors import CourseError


class FileState(StrEnum):
    """How a file of the lessons folder stands to what would be generated."""

    CURRENT = "current"
    MISSING = "missing"
    OUTDATED = "outdated"
    EDITED = "edited by hand"
    STALE = "no longer generated"


@dataclass(frozen=True)
class Handout:
    """One file of the lessons folder: its path relative to the course, the generated text (None if stale), its state."""

    path: Path
    text: str | None
    state: FileState


@dataclass(frozen=True)
class Written:
    """What a pass over the lessons folder did: files written or removed, files refused, backups made."""

    written: tuple[Path, ...] = ()
    refused: tuple[Path, ...] = ()
    backups: tuple[Path, ...] = ()


def plan(course: Course, *, notebooks: bool = False) -> tuple[Handout, ...]:
    """Every generated file of the lessons folder and how it stands. Runs every lesson file (for the syllabus).

    `notebooks` are no lessons: they are handed out as they are in the course, to those who want them.
    """
    texts = {lesson.stub.relative_to(course.root): lesson.stub_source() for lesson in course.lessons}
    for name, text in course.given().items():
        path = Path("lessons", *name.split(".")).with_suffix(".py")
        texts[path] = make_stub(text, path)
    texts[Path("lessons/README.md")] = syllabus(course)
    if notebooks:
        texts |= {path.relative_to(course.source): read_text(path) for path in sorted(course.source.glob("lessons/*/*.ipynb"))}
    manifest = read_manifest(course.root)
    files = [Handout(path, text, _state(course.root / path, text, manifest.get(path.as_posix()))) for path, text in texts.items()]
    gone = [Path(name) for name in manifest if Path(name) not in texts and (course.root / name).exists()]
    return (*files, *(Handout(path, None, FileState.STALE) for path in gone))


def write(course: Course, handouts: Iterable[Handout], *, force: bool = False) -> Written:
    """Bring the lessons folder up to date. An edited file is refused, or (with `force`) replaced after a backup."""
    manifest = read_manifest(course.root)
    written: list[Path] = []
    refused: list[Path] = []
    backups: list[Path] = []
    for handout in handouts:
        target, name = course.root / handout.path, handout.path.as_posix()
        if _is_students(handout, target, manifest):
            if not force:
                refused.append(handout.path)
                continue
            backups.append(back_up(course.root, target))
        if handout.state is not FileState.CURRENT:
            written.append(handout.path)
        if handout.text is None:
            target.unlink()
            continue
        manifest[name] = digest(handout.text)
        if handout.state is not FileState.CURRENT:
            replace_text(target, handout.text)
    write_manifest(course.root, {name: value for name, value in manifest.items() if (course.root / name).exists()})
    return Written(tuple(written), tuple(refused), tuple(backups))


def reset(course: Course, name: str) -> Path | None:
    """Put a lesson's stub back; returns the backup of the file as it was (None if there was nothing to keep)."""
    lesson = course.lesson(name)
    text = lesson.stub_source()
    keep = lesson.stub.exists() and read_text(lesson.stub) != text
    backup = back_up(course.root, lesson.stub) if keep else None
    replace_text(lesson.stub, text)
    path = lesson.stub.relative_to(course.root).as_posix()
    write_manifest(course.root, {**read_manifest(course.root), path: digest(text)})
    return backup


def undo_reset(outline: Outline, name: str) -> Path | None:
    """Put the newest backup of a lesson's file back in its place; returns the backup of what stood there, if it held work.

    So one undo takes another back. Raises `CourseError` where there is no backup.
    """
    entry = outline.lesson(name)
    backup = newest_backup(outline.root, entry.stub)
    if backup is None:
        raise CourseError(f"There is nothing to undo: no backup of {entry.stub.relative_to(outline.root)} was made.")
    text = read_text(backup)
    stub = make_stub(entry.solution.read_text(encoding="utf-8"), entry.solution)
    keep = entry.stub.exists() and read_text(entry.stub) not in (stub, text)
    kept = back_up(outline.root, entry.stub) if keep else None
    replace_text(entry.stub, text)
    backup.unlink()
    return kept


def _state(path: Path, text: str, generated: str | None) -> FileState:
    if not path.exists():
        return FileState.MISSING
    current = read_text(path)
    if current == text:
        return FileState.CURRENT
    return FileState.OUTDATED if digest(current) == generated else FileState.EDITED


def _is_students(handout: Handout, target: Path, manifest: dict[str, str]) -> bool:
    """Whether a file holds anything that was not generated."""
    if handout.state in (FileState.STALE, FileState.OUTDATED):  # looked at again: somebody may have saved it just now
        return digest(read_text(target)) != manifest[handout.path.as_posix()]
    return handout.state is FileState.EDITED
