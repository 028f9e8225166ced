"""Which file is to be graded as which lesson: what the arguments of `check` mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograd_check.course.outline import LessonEntry, Outline
from autograd_check.errors import SubmissionError

if TYPE_CHECKING:  # it imports torch, and a name that is not a lesson's is answered without
    from autograd_check.course.load import CourseLesson


@dataclass(frozen=True)
class Target:
    """One file to grade as one lesson; `shown` is its name on screen, `own` says that it is the course's lessons folder's."""

    lesson: str
    path: Path
    shown: str
    own: bool = False


def folder_targets(outline: Outline, names: Sequence[str], folder: Path | None) -> list[Target]:
    """The files of the named lessons and units (all, if none is named) in a folder, by default the course's `lessons/`.

    `folder` is taken from the working directory, or else from the student's folder or the course. Raises `CourseError` for an unknown lesson and
    `SubmissionError` for a folder that is not there.
    """
    named = [entry for name in names for entry in outline.lessons_of(name)]
    entries = list(dict.fromkeys(named)) if names else list(outline.lessons)
    place = outline.root / "lessons" if folder is None else _folder(folder, outline)
    own = place.resolve() == outline.root / "lessons"
    targets = []
    for entry in entries:
        path = find_file(place, entry) or place / entry.unit / f"{entry.name}.py"
        if entry.released and path == entry.solution:
            raise SubmissionError(f"This course was released without its references, so that of {entry.name} cannot be checked.")
        targets.append(Target(entry.name, path, _shown(path, outline.root), own))
    return targets


def file_targets(outline: Outline, names: Sequence[str], files: Sequence[Path]) -> list[Target]:
    """Files to grade as the one named lesson, or each as the lesson it is named after.

    Raises `SubmissionError` where several lessons are named, `CourseError` for an unknown lesson.
    """
    if len(names) > 1:
        raise SubmissionError(
            f"--file takes one lesson, got {len(names)}: {', '.join(names)}. Check each lesson's files in a call of its own."
        )
    return [Target(outline.lesson(names[0] if names else file.stem).name, file, str(file)) for file in files]


def choose_targets(outline: Outline, arguments: Sequence[str], folder: Path | None, files: Sequence[Path]) -> list[Target]:
    """What `check ARGUMENTS --lessons FOLDER --file FILES` is about.

    An argument may be a lesson, a unit, or a path: to the file of a lesson in the course, or to any other file of that name.
    A shell hands `--file a.py b.py` over as the option a.py and the argument b.py; so beside `--file` an argument that is no
    lesson's name but looks like a file is one more file.
    """
    if not files:
        named = [target for name in arguments for target in _named(outline, name, folder)]
        return list(dict.fromkeys(named)) if arguments else folder_targets(outline, [], folder)
    known = {entry.name for entry in outline.lessons}
    more = [name for name in arguments if name not in known and (not name.isidentifier() or Path(name).exists())]
    names = [name for name in arguments if name not in more]
    return file_targets(outline, names, [*files, *map(Path, more)])


def _named(outline: Outline, name: str, folder: Path | None) -> list[Target]:
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        entry, place = outline.lesson(name), path.resolve()
        return [Target(entry.name, place, _shown(place, outline.root), own=place == entry.stub)]
    return folder_targets(outline, [name], folder)


def find_file(folder: Path, lesson: LessonEntry | CourseLesson) -> Path | None:
    """A lesson's file in a student's folder: `uNN_UNIT/NAME.py` or `NAME.py` in it, or in the unit's folder beside it."""
    name = lesson.solution.name
    places = (folder / lesson.unit / name, folder / name, folder.parent / lesson.unit / name)
    return next((place for place in places if place.is_file()), None)


def _folder(folder: Path, outline: Outline) -> Path:
    for place in (folder, outline.root / folder, outline.source / folder):
        if place.is_dir():
            return place.resolve()
    raise SubmissionError(
        f"{folder} is not a folder, neither here nor in {outline.root}. Name the folder that holds the lessons."
    )


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
