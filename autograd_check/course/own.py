"""A folder of one's own: `course.toml` in it says where the course is, and which version of it the folder was made from."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from autograd_check.errors import CourseError

TITLE_FILE = "course.toml"
INSTALLED = "autograd_check"
PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Title:
    """What `course.toml` holds: `course` is `INSTALLED` (the one in this package) or a folder; `version` as `course_version` says."""

    course: str
    version: str

    def to_toml(self) -> str:
        """The text of the file."""
        return (
            "# Made by `autograd-check start`. What you write in lessons/ is yours; `autograd-check update` brings a newer course.\n"
            f"course = {json.dumps(self.course, ensure_ascii=False)}\nversion = {json.dumps(self.version)}\n"
        )


def read_title(root: Path) -> Title:
    """The `course.toml` of a folder. Raises `CourseError` where there is none that can be read."""
    path = root / TITLE_FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CourseError(f"{root} is not a course: it needs a lessons/ and a solutions/ folder, or a {TITLE_FILE}.") from None
    except (OSError, ValueError) as error:
        raise CourseError(f"{path} cannot be read ({error}). {_REMEDY}") from None
    course, version = values.get("course"), values.get("version")
    if not isinstance(course, str) or not isinstance(version, str):
        raise CourseError(f"{path} must say course and version, each a string. {_REMEDY}")
    return Title(course, version)


def installed_course() -> Path:
    """The course that comes with this package: inside it where it was installed, beside it in a checkout. Raises `CourseError`."""
    for folder in (PACKAGE / "curriculum", PACKAGE.parent):
        if (folder / "solutions").is_dir():
            return folder
    raise CourseError(
        f"The course is missing from {PACKAGE}. Install the package again: pip install --force-reinstall autograd_check"
    )


def source_of(root: Path) -> Path:
    """The folder that holds the course of somebody's own folder. Raises `CourseError` where it is not there."""
    title = read_title(root)
    if title.course == INSTALLED:
        return installed_course()
    source = (root / title.course).resolve()
    if (source / "solutions").is_dir():
        return source
    raise CourseError(
        f"{root / TITLE_FILE} says that the course is in {source}, but there is no solutions/ folder. Correct its line `course =`."
    )


def course_version(source: Path) -> str:
    """Eight hexadecimal digits of a hash over the files of the course: another text, another version."""
    total = hashlib.sha256()
    for path in sorted(source.glob("solutions/**/*.py")):
        total.update(path.relative_to(source).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:8]


_REMEDY = f'It should hold: course = "{INSTALLED}" and version = "".'
