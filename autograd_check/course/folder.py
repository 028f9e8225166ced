"""Making somebody's own folder of a course, and bringing a newer course to it. What they wrote is never touched."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from autograd_check.course.files import BACKUPS, digest, read_manifest, replace_text, write_manifest
from autograd_check.course.handout import FileState, Handout, plan, write
from autograd_check.course.load import Course
from autograd_check.course.outline import Outline, is_course, read_lessons
from autograd_check.course.own import INSTALLED, TITLE_FILE, Title, course_version, installed_course, read_title
from autograd_check.course.progress import STATE_FILE
from autograd_check.errors import CourseError

IGNORED = ("__pycache__/", ".ipynb_checkpoints/", ".pytest_cache/", STATE_FILE, f"{BACKUPS}/", "/*.png")


class What(StrEnum):
    """What an update did with a file, or why it left it alone."""

    NEW = "new"
    REPLACED = "replaced by its new version (you had not begun it)"
    BACK = "put back (it was gone)"
    REMOVED = "removed (no longer in the course, and you had not begun it)"
    KEPT = "changed in the course; yours is kept"
    LEFT = "no longer in the course; yours is kept"
    UNKNOWN = "of no lesson; left as it is"


@dataclass(frozen=True)
class Change:
    """One file, relative to the folder, and what became of it."""

    path: Path
    what: What


@dataclass(frozen=True)
class Update:
    """What an update did: the versions before and after, every file that is worth a word, and how many hold a student's work.

    `recorded` is whether it was known what had been handed out; where not, every file that differs counts as a student's.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    begun: int
    recorded: bool


def start(folder: Path, source: Path | None = None, *, notebooks: bool = False) -> Course:
    """Make `folder` somebody's own: the stubs, the syllabus, `.gitignore`, `course.toml`; no solutions, no tests.

    The course is the installed one, or the one in the folder `source`. Files that are there already stay as they are.

    Raises `CourseError` where the folder is a course already, or cannot be written, or `source` holds no course.
    """
    root, course = folder.resolve(), installed_course() if source is None else source.resolve()
    if source is not None and not is_course(course):
        raise CourseError(f"{course} is not a course: it needs a lessons/ and a solutions/ folder.")
    if (root / TITLE_FILE).exists() or is_course(root):
        raise CourseError(
            f"{folder} is a course folder already. To bring a newer course to it:\n\n  cd {shlex.quote(str(folder))} && autograd-check update"
        )
    if root.exists() and not root.is_dir():
        raise CourseError(f"{folder} is a file. Name a folder that is new or empty.")
    if (root / "lessons").exists():
        raise CourseError(f"{folder} has a lessons/ already. Name a folder that is new or empty.")
    loaded = Course(Outline(root, course, read_lessons(root, course)))
    make_folder(loaded, INSTALLED if source is None else os.path.relpath(course, root), folder, notebooks=notebooks)
    return loaded


def make_folder(loaded: Course, name: str, folder: Path, *, notebooks: bool = False) -> None:
    """Write the files of a folder of one's own; `name` is what its `course.toml` calls the course, `folder` what was typed.

    Raises `CourseError` where it cannot be written.
    """
    root = loaded.root
    try:
        write(loaded, plan(loaded, notebooks=notebooks))
        if not (root / ".gitignore").exists():
            replace_text(root / ".gitignore", "\n".join(IGNORED) + "\n")
        replace_text(root / TITLE_FILE, Title(name, course_version(loaded.source)).to_toml())
    except OSError as error:
        raise CourseError(f"{folder} cannot be written: {error.strerror or error}.") from error


def update(course: Course, *, notebooks: bool = False) -> Update:
    """Bring what is new in the course to somebody's own folder; `notebooks` as well, or where they were handed out before.

    Raises `CourseError` where the folder is the course itself, or cannot be written.
    """
    if not course.outline.own:
        raise CourseError(f"{course.root} holds the course itself. To make lessons/ from solutions/: autograd-check stubs")
    title, manifest = read_title(course.root), read_manifest(course.root)
    handouts = plan(course, notebooks=notebooks or any(name.endswith(".ipynb") for name in manifest))
    try:
        refused = set(write(course, handouts).refused)
        # a file that somebody works on is compared with the newest stub next time, so each change of a stub is told once
        told = {h.path.as_posix(): digest(h.text) for h in handouts if h.path in refused and h.text is not None}
        write_manifest(course.root, {**read_manifest(course.root), **told})
        version = course_version(course.source)
        replace_text(course.root / TITLE_FILE, Title(title.course, version).to_toml())
    except OSError as error:
        raise CourseError(f"{course.root} cannot be written: {error.strerror or error}.") from error
    changes = (*_changes(handouts, refused, manifest), *_unknown(course.root, handouts))
    return Update(title.version, version, changes, len(refused), bool(manifest))


def _changes(handouts: Sequence[Handout], refused: set[Path], manifest: dict[str, str]) -> Iterator[Change]:
    for handout in handouts:
        before = manifest.get(handout.path.as_posix())
        if handout.path in refused:
            if handout.text is None:
                yield Change(handout.path, What.LEFT)
            elif before != digest(handout.text):
                yield Change(handout.path, What.KEPT)
        elif handout.state is FileState.MISSING:
            yield Change(handout.path, What.NEW if before is None else What.BACK)
        elif handout.state is FileState.OUTDATED:
            yield Change(handout.path, What.REPLACED)
        elif handout.state is FileState.STALE:
            yield Change(handout.path, What.REMOVED)


def _unknown(root: Path, handouts: Sequence[Handout]) -> Iterator[Change]:
    known = {handout.path for handout in handouts}
    for path in sorted(root.glob("lessons/**/[!_.]*.py")):
        if path.relative_to(root) not in known and "__pycache__" not in path.parts:
            yield Change(path.relative_to(root), What.UNKNOWN)
