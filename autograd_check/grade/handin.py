"""What one student handed in: which file counts as which lesson, and what is said about the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath

from autograd_check.errors import SubmissionError
from autograd_check.grade.cells import code_cells, defined
from autograd_check.grade.inbox import MOST_FILES, Found, is_archive, unpacked
from autograd_check.grade.submission import source_of

AGAIN = re.compile(r"(?:[-_ ]*(?:\((\d{1,9})\)|(?<=[-_ ])(\d{1,9})|copy|final|new|v(\d{1,9})))+$", re.IGNORECASE)
"""What is appended to the name of a file that is handed in again or downloaded twice: `-1`, ` (2)`, `_final`."""

SUFFIXES = (".py", ".ipynb")


@dataclass(frozen=True)
class HandedFile:
    """The file that counts as one lesson: where it lay, and its text or the sentence that says why there is none."""

    lesson: str
    path: str
    source: str | None
    problem: str = ""


@dataclass(frozen=True)
class Handin:
    """A student and the files that count. `notes` are sentences about the rest; `problem` is that of an unreadable whole."""

    student: str
    name: str = ""
    email: str = ""
    late: bool | None = None
    submitted: str = ""
    files: tuple[HandedFile, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Entry:
    """A file, the name that the student gave it, and how late in a row of resubmissions it came."""

    found: Found
    name: str
    order: int = 0


@dataclass(frozen=True)
class Sorter:
    """Tells which file is which lesson: by its name, by what it defines, or because only one is asked for.

    `lessons` are all of the course; `wanted` those that are assigned (all, where that is not known). `functions` gives the
    names that a lesson asks for; it runs the lesson, so it is asked only about files whose names say nothing.
    """

    lessons: tuple[str, ...]
    wanted: tuple[str, ...]
    functions: Callable[[str], Sequence[str]]

    def sort(self, entries: Iterable[Entry]) -> tuple[list[HandedFile], list[str], str]:
        """The files that count, notes, and the sentence of an archive that could not be read (empty if all were)."""
        notes: list[str] = []
        problems: list[str] = []
        found = list(islice(_opened(entries, problems), MOST_FILES + 1))
        if len(found) > MOST_FILES:
            notes.append(f"more than {MOST_FILES} files were handed in; the first {MOST_FILES} are looked at")
        named: dict[str, list[tuple[tuple[int, ...], Entry]]] = {}
        nameless: list[Entry] = []
        for entry in found[:MOST_FILES]:
            lesson, rank = self._by_name(entry)
            if lesson:
                named.setdefault(lesson, []).append((rank, entry))
            else:
                nameless.append(entry)
        files = [
            _chosen(lesson, ranked, self.functions(lesson) if _has_notebook(ranked) else (), notes)
            for lesson, ranked in named.items()
        ]
        files += self._by_content(nameless, set(named), notes)
        return files, notes, "; ".join(problems)

    def _by_name(self, entry: Entry) -> tuple[str, tuple[int, ...]]:
        """The lesson that a file is named after, and its rank among several: the newest, then the plainest name."""
        path = PurePosixPath(entry.name)
        if path.suffix.lower() not in SUFFIXES:
            return "", ()
        again = 0
        stem = path.stem
        if stem not in self.lessons:
            match = AGAIN.search(stem)
            again = max((int(number) for number in match.groups() if number), default=1) if match else 0
            plain = (stem[: match.start()] if match else stem).strip("-_ ").casefold()
            stem = next((lesson for lesson in self.lessons if lesson.casefold() == plain), "")
        python = path.suffix.lower() == ".py"
        return stem, (again, entry.order, int(python), -len(entry.found.path.parts))

    def _by_content(self, entries: list[Entry], taken: set[str], notes: list[str]) -> Iterator[HandedFile]:
        """Lessons found in files that are named otherwise."""
        missing = [lesson for lesson in self.wanted if lesson not in taken]
        readable = [entry for entry in entries if PurePosixPath(entry.name).suffix.lower() in SUFFIXES]
        only = len(self.wanted) == 1 and len(missing) == 1 and len(readable) == 1
        why = "the only lesson asked for" if only else "whose functions it defines"
        for entry in entries:
            path = entry.found.path
            found = (missing if only else self._defined_in(entry, missing)) if entry in readable else []
            missing = [lesson for lesson in missing if lesson not in found]
            for lesson in found:
                notes.append(f"{path} was taken for {lesson}, {why}")
                yield _read(lesson, entry, self.functions(lesson))
            if entry.found.is_link:
                notes.append(f"{path} is a symbolic link, which is not followed")
            elif not found:
                notes.append(f"{path} is the file of no lesson that is asked for, and was not graded")

    def _defined_in(self, entry: Entry, lessons: Sequence[str]) -> list[str]:
        try:
            content = entry.found.read()
            names = set().union(*map(defined, _texts(content, entry.name)))
        except SubmissionError:
            return []
        return [lesson for lesson in lessons if names.intersection(self.functions(lesson))] if names else []


def _texts(content: bytes, name: str) -> list[str]:
    """The code of a file, cell by cell where it is a notebook."""
    if name.lower().endswith(".ipynb"):
        return code_cells(content.decode("utf-8", "replace"), name)
    return [source_of(content, name)]


def _opened(entries: Iterable[Entry], problems: list[str]) -> Iterator[Entry]:
    """The files, with those of archives in place of the archives."""
    for entry in entries:
        if entry.found.is_link and len(entry.found.path.parts) == 1 and not entry.found.path.suffix:
            problems.append(f"{entry.found.path} is a symbolic link, which is not followed")
            continue
        if not is_archive(entry.name):
            yield entry
            continue
        try:
            for found in unpacked(entry.found):
                if not is_archive(found.path.name):
                    yield Entry(found, found.path.name, entry.order)
        except SubmissionError as error:
            problems.append(str(error))


def _chosen(lesson: str, ranked: list[tuple[tuple[int, ...], Entry]], functions: Sequence[str], notes: list[str]) -> HandedFile:
    """The newest of several files for one lesson."""
    ranked = sorted(ranked, key=lambda pair: (pair[0], str(pair[1].found.path)))
    handed = _read(lesson, ranked[-1][1], functions)
    others = [str(entry.found.path) for _, entry in ranked[:-1]]
    if others:
        notes.append(f"of several files for {lesson}, {handed.path} was graded, and not {', '.join(others)}")
    return handed


def _has_notebook(ranked: Iterable[tuple[tuple[int, ...], Entry]]) -> bool:
    return any(entry.name.lower().endswith(".ipynb") for _, entry in ranked)


def _read(lesson: str, entry: Entry, functions: Sequence[str]) -> HandedFile:
    path = str(entry.found.path)
    try:
        return HandedFile(lesson, path, source_of(entry.found.read(), path, functions))
    except SubmissionError as error:
        return HandedFile(lesson, path, None, str(error))
