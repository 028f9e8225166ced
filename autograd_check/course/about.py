"""Which version of the vocabulary a course is written in: `solutions/about.toml` says `vocabulary = 1`.

A course that says so is held to what authors are asked for (`autograd_check.course.demands`). One that says nothing was written
before there was a vocabulary; it is read as it is.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from autograd_check.errors import CourseError

ABOUT_FILE = "about.toml"
VOCABULARY = 1
"""The version that this program speaks."""

CHANGES = {
    1: "Pair(...) is Layer('x[N,D] ... -> out[N,D]', ...), probe(...) is at(...) or edge(...), mistake(...) is edit, drop or "
    "wrong, and variants stand in solutions/variants/ (docs/authoring.md has every word)."
}
"""What is to be changed for each version, from the one before it."""


def stated_vocabulary(source: Path) -> int | None:
    """The version that the course in the folder `source` states; None where it states none.

    Raises `CourseError` for a file that cannot be read, and for a version that this program does not speak.
    """
    path = source / "solutions" / ABOUT_FILE
    if not path.exists():
        return None
    where = f"solutions/{ABOUT_FILE}"
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{where} cannot be read ({error}). It should hold: vocabulary = {VOCABULARY}") from None
    version = said.pop("vocabulary", None)
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise CourseError(f"{where}:1: vocabulary must be a whole number; write: vocabulary = {VOCABULARY}")
    if said:
        raise CourseError(f"{where}: it says {', '.join(said)}, which means nothing there; it holds: vocabulary = {VOCABULARY}")
    if version > VOCABULARY:
        raise CourseError(
            f"{where}:1: the course is written in version {version} of the vocabulary, and this program speaks {VOCABULARY}: "
            "install a newer autograd-check."
        )
    if version < VOCABULARY:
        changes = " ".join(CHANGES[number] for number in range(version + 1, VOCABULARY + 1))
        raise CourseError(
            f"{where}:1: the course is written in version {version} of the vocabulary, and this program speaks {VOCABULARY}. "
            f"Change: {changes} Then write: vocabulary = {VOCABULARY}"
        )
    return version
