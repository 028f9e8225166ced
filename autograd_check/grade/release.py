"""A course for students: a folder as `start` makes it, and a package without any answer, which checks what is written there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograd_check.course.folder import make_folder
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.outline import Outline, read_lessons
from autograd_check.course.own import INSTALLED
from autograd_check.course.wheel import package_files, write_wheel
from autograd_check.course.without_answers import refuse_leaks, released_texts, secret_lines
from autograd_check.errors import CourseError
from autograd_check.grade.recorded_mistakes import recorded

CARRIED = "autograd_check/curriculum"


@dataclass(frozen=True)
class Released:
    """What was made: the student's folder, the package beside it, and how many lines of answers are in neither."""

    folder: Path
    wheel: Path
    secrets: int


def recordings(lessons: Iterable[CourseLesson]) -> Iterator[tuple[Path, bytes]]:
    """The numbers of every lesson's mistakes, with the path of their file in the course."""
    for lesson in lessons:
        yield lesson.numbers.relative_to(lesson.source), recorded(lesson)


def release(course: Course, folder: Path, numbers: Mapping[Path, bytes]) -> Released:
    """Write a release of a course into `folder`, which is new or empty; `numbers` are those of `recordings`.

    Raises `CourseError` where something of it would give an answer away, or the folder cannot be used.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CourseError(f"{folder} is not empty. Name a folder that is new or empty.")
    texts, secrets, package = released_texts(course), secret_lines(course), package_files()
    refuse_leaks({Path(name): content.decode() for name, content in package.items() if name.endswith(".py")}, secrets)
    carried = {path: text.encode() for path, text in texts.items()} | dict(numbers)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch).resolve()
        for path, content in carried.items():
            (source / path).parent.mkdir(parents=True, exist_ok=True)
            (source / path).write_bytes(content)
        root = folder.resolve()
        made = Course(Outline(root, source, read_lessons(root, source)))
        make_folder(made, INSTALLED, folder)
    files = {**package, **{f"{CARRIED}/{path.as_posix()}": content for path, content in carried.items()}}
    return Released(folder, write_wheel(folder, files), len(secrets))
