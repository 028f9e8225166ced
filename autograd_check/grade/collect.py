"""SUBMISSIONS as `grade` takes them: whose each file is, which lesson it counts as, and what is said about the others.

Whose a file is follows from its folder, or from the names that Canvas, Moodle and Gradescope give their exports:

    ada/linear.py                                         a folder a student
    linear__ada.py                                        LESSON__STUDENT.py
    Ada Lovelace_1001_assignsubmission_file_/linear.py    Moodle: the participant's number, not the student's
    ngmina_LATE_9001_4711_linear-1.py                     Canvas: user id, attachment id, how often it was handed in again
    submission_77/linear.py + submission_metadata.yml     Gradescope: only the metadata tells who
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from autograd_check.course.outline import Outline
from autograd_check.errors import SubmissionError
from autograd_check.grade.inbox import MOST_FILES, Archive, Folder, Found, Inbox, clean, escapes, is_archive, unpacked
from autograd_check.grade.roster import ASSIGNMENT_FILE, ROSTER_FILE, Assignment, Enrolled, index, read_roster, squeezed
from autograd_check.grade.submission import code_cells, defined, source_of

METADATA = "submission_metadata.yml"

MOODLE = re.compile(r"^(?P<name>.+)_(?P<uid>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)$")
CANVAS = re.compile(r"^(?:(?P<name>.*?)_)?(?P<late>LATE_)?(?P<uid>\d+)_(?P<attachment>\d{1,18}|text|link)[_.](?P<file>.+)$")
CANVAS_ANONYMOUS = re.compile(r"^(?P<late>LATE_)?anon_(?P<uid>[^_]+)_(?P<attachment>\d{1,18})_(?P<file>.+)$")


@dataclass(frozen=True)
class Owner:
    """A student as an export names one. `file` is the name that the student gave, `order` grows with each handing in."""

    student: str
    name: str = ""
    email: str = ""
    late: bool | None = None
    submitted: str = ""
    file: str = ""
    order: int = 0


def owner_of(top: str, is_folder: bool, lessons: Collection[str], wanted: Sequence[str] = ()) -> Owner | None:
    """Whose a folder or a file at the top of an inbox is; None where its name does not tell.

    Where a single lesson is `wanted`, a file may be named after its student alone.
    """
    moodle = MOODLE.match(top)
    if moodle:
        return Owner(f"{clean(moodle['name'])} ({moodle['uid']})", clean(moodle["name"]), file=clean(moodle["file"]))
    if escapes(top):
        return None
    if is_folder:
        return Owner(clean(top))
    stem, _, ending = top.rpartition(".")
    lesson, separator, student = stem.partition("__")
    if separator and lesson in lessons and student:
        return Owner(clean(student), file=f"{lesson}.{ending}")
    canvas = CANVAS_ANONYMOUS.match(top) or CANVAS.match(top)
    if canvas:
        found = canvas.groupdict()
        order = int(found["attachment"]) if found["attachment"].isdecimal() else 0
        name = clean(found.get("name") or "")
        return Owner(found["uid"], name, late=bool(found["late"]), file=clean(found["file"]), order=order)
    if is_archive(top):
        return Owner(clean(stem), file=clean(top))
    if len(wanted) == 1 and ending.lower() in ("py", "ipynb") and stem not in lessons:
        return Owner(clean(stem), file=f"{wanted[0]}.{ending}")
    return None


def read_metadata(content: bytes, path: Path) -> dict[str, tuple[Owner, ...]]:
    """The students of every folder of a Gradescope export. Raises `SubmissionError` where it is not what Gradescope writes."""
    # it makes texts only: no objects, and a student's number keeps its leading zeros
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        table = yaml.load(content, loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SubmissionError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(table, dict):
        raise SubmissionError(f"{path} is not what Gradescope writes: expected a table of submissions")
    return {str(folder): _submitters(str(folder), entry) for folder, entry in table.items()}


def _submitters(folder: str, entry: Any) -> tuple[Owner, ...]:
    about: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    people = about.get(":submitters")
    submitted = _text(about, ":created_at")
    found = []
    for person in people if isinstance(people, list) else []:
        if isinstance(person, dict):
            name, sid, email = (_text(person, key) for key in (":name", ":sid", ":email"))
            found.append(Owner(sid or email or name or clean(folder), name, email, submitted=submitted))
    return tuple(found) or (Owner(clean(folder), submitted=submitted),)


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return clean(value.strip()) if isinstance(value, str) and value not in ("null", "~") else ""


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


OURS = (ASSIGNMENT_FILE, ROSTER_FILE, METADATA)


@dataclass(frozen=True)
class Pile:
    """The names at the top of an inbox that belong to one student."""

    owner: Owner
    tops: tuple[tuple[str, str, int], ...]
    """Name at the top, the name that the student gave the file (empty for a folder), and its place among resubmissions."""
    problem: str = ""


def collect(
    submissions: Path,
    outline: Outline,
    functions: Callable[[str], Sequence[str]],
    assignment: Assignment,
    roster: Path | None = None,
) -> Iterator[Handin]:
    """What every student handed in, and who handed in nothing, where a roster says so.

    `functions` gives the names that a lesson asks for; it is asked only where the name of a file does not tell.
    Raises `SubmissionError` for what is neither a folder, an archive nor a roster; nothing that a student did raises.
    """
    names = tuple(entry.name for entry in outline.lessons)
    sorter = Sorter(names, tuple(assignment.points) or names, functions)
    if submissions.suffix.lower() == ".csv" and submissions.is_file():
        for enrolled in read_roster(submissions):
            yield _timed(_of_roster(enrolled, Folder(submissions.parent), sorter), assignment)
        return
    inbox = _inbox(submissions)
    enrolled_list = _roster_of(submissions, roster)
    if any(enrolled.paths for enrolled in enrolled_list):
        for enrolled in enrolled_list:
            yield _timed(_of_roster(enrolled, _wrapped(inbox, names), sorter), assignment)
        return
    yield from (_timed(handin, assignment) for handin in _matched(inbox, names, enrolled_list, sorter))


def _inbox(path: Path) -> Inbox:
    if path.is_dir():
        return Folder(path)
    if path.is_file() and (is_archive(path.name) or zipfile.is_zipfile(path)):
        return Archive.open(path)
    what = "does not exist" if not path.exists() else "is none of these"
    raise SubmissionError(
        f"{path} {what}: expected a folder with a folder for each student, a zip archive from Canvas, Moodle or Gradescope, "
        "or a roster (a CSV file with the columns student, name, email, path)."
    )


def _roster_of(submissions: Path, roster: Path | None) -> tuple[Enrolled, ...]:
    """The roster that was named, or the one that lies beside the submissions."""
    beside = submissions / ROSTER_FILE
    if roster is None and not (submissions.is_dir() and beside.is_file()):
        return ()
    return read_roster(roster or beside)


def _matched(inbox: Inbox, names: Sequence[str], roster: Sequence[Enrolled], sorter: Sorter) -> Iterator[Handin]:
    """The piles of an inbox, each with its row of the roster; then the rows for which there is no pile."""
    inbox = _wrapped(inbox, names)
    rows = index(roster)
    by_student = {enrolled.student: enrolled for enrolled in roster}
    met: set[str] = set()
    for pile in _piles(inbox, names, sorter.wanted):
        owner = pile.owner
        keys = [squeezed(text) for text in (owner.student, owner.email, owner.name) if text]
        row = by_student.get(owner.student) or next((rows[key] for key in keys if key in rows), None)
        if row is not None and row.student in met:
            row = None  # two of one name: the second keeps the name that the archive gives
        handin = _of_pile(pile, inbox, sorter)
        if row is not None:
            met.add(row.student)
            handin = _enrolled(handin, row)
        elif roster:
            handin = replace(handin, notes=(*handin.notes, f"{owner.student} is not on the roster"))
        yield handin
    for enrolled in roster:
        if enrolled.student not in met:
            yield _enrolled(Handin(enrolled.student), enrolled)


def _wrapped(inbox: Inbox, names: Sequence[str]) -> Inbox:
    """The inbox without the one folder that an archive or an export wraps around everything."""
    tops = [top for top in inbox.tops() if top[0] not in OURS]
    if len(tops) != 1 or not tops[0][1] or owner_of(tops[0][0], False, names) is not None:
        return inbox
    inner = inbox.inner(tops[0][0])
    below = inner.tops()
    if any(name == METADATA for name, _ in below):
        return inner
    of_a_student = any(not is_folder and owner_of(name, False, names) is None for name, is_folder in below if name not in OURS)
    units = any(name == "lessons" or (is_folder and name[:1] == "u" and name[1:3].isdigit()) for name, is_folder in below)
    return inner if below and not of_a_student and not units else inbox


def _piles(inbox: Inbox, names: Sequence[str], wanted: Sequence[str]) -> Iterator[Pile]:
    """What lies at the top, by student. Two folders whose names print alike are two students."""
    tops = inbox.tops()
    metadata = _metadata(inbox, tops)
    piles: dict[str, Pile] = {}
    for top, is_folder in tops:
        if top in OURS and not is_folder:
            continue
        for owner in metadata.get(top) or (owner_of(top, is_folder, names, wanted),):
            if owner is None:
                if PurePosixPath(top).suffix.lower() in SUFFIXES:
                    owner, problem = _stray(inbox, top)
                    piles[f"stray {top}"] = Pile(owner, ((top, "", 0),), problem)
                continue
            key, kept = owner.student, piles.get(owner.student)
            if kept is not None and is_folder and not owner.name and top not in metadata:
                key = next(f"{key} ({n})" for n in range(2, len(tops) + 3) if f"{key} ({n})" not in piles)
                owner, kept = replace(owner, student=key), None
            late = owner.late if kept is None or owner.late else kept.owner.late
            added = (top, owner.file, owner.order)
            piles[key] = Pile(replace(owner, late=late), (*(kept.tops if kept else ()), added))
    yield from piles.values()


def _stray(inbox: Inbox, top: str) -> tuple[Owner, str]:
    """A file at the top whose name does not tell whose it is: a record of its own, so that it is not lost."""
    (found,) = inbox.below(top)
    try:
        found.read()
    except SubmissionError as error:
        return Owner(str(found.path)), str(error)
    text = f"{found.path} lies beside the students' folders, so it cannot be told whose it is: expected STUDENT/LESSON.py"
    return Owner(str(found.path)), f"{text} or LESSON__STUDENT.py"


def _metadata(inbox: Inbox, tops: Sequence[tuple[str, bool]]) -> Mapping[str, tuple[Owner, ...]]:
    if (METADATA, False) not in tops:
        return {}
    (found,) = inbox.below(METADATA)
    return read_metadata(found.read(), Path(str(found.path)))


def _of_pile(pile: Pile, inbox: Inbox, sorter: Sorter) -> Handin:
    owner = pile.owner
    about = Handin(owner.student, owner.name, owner.email, owner.late, owner.submitted)
    if pile.problem:
        return replace(about, problem=pile.problem)
    return _sorted(about, _entries(inbox, pile.tops), sorter)


def _entries(inbox: Inbox, tops: Sequence[tuple[str, str, int]]) -> Iterator[Entry]:
    for top, given, order in tops:
        for found in inbox.below(top):
            yield Entry(found, given or found.path.name, order)


def _of_roster(enrolled: Enrolled, inbox: Inbox, sorter: Sorter) -> Handin:
    """The files that a row of the roster names."""
    problems: list[str] = []
    entries: list[Entry] = []
    for path in enrolled.paths:
        found = list(_at(inbox, path))
        if not found:
            problems.append(f"{path}, which the roster names, is not there")
        entries += found
    handin = _sorted(Handin(enrolled.student), entries, sorter)
    problem = "; ".join([*problems, *([handin.problem] if handin.problem else [])])
    return _enrolled(replace(handin, problem=problem), enrolled)


def _at(inbox: Inbox, path: str) -> Iterator[Entry]:
    """The files at a path in an inbox. A path that leads out of a folder is the instructor's own, and is followed."""
    parts = PurePosixPath(path).parts
    if isinstance(inbox, Folder):
        place = inbox.root / path
        if place.exists() or place.is_symlink():
            below = Folder(place.parent, PurePosixPath(path).parent).below(place.name)
            yield from (Entry(found, found.path.name) for found in below)
    elif parts:
        yield from (Entry(found, found.path.name) for found in inbox.below(parts[0]) if found.path.parts[: len(parts)] == parts)


def _sorted(about: Handin, entries: Iterator[Entry] | Sequence[Entry], sorter: Sorter) -> Handin:
    try:
        files, notes, problem = sorter.sort(entries)
    except OSError as error:
        return replace(about, problem=f"{about.student} cannot be read: {error.strerror or error}")
    return replace(about, files=tuple(files), notes=(*about.notes, *notes), problem=problem)


def _enrolled(handin: Handin, row: Enrolled) -> Handin:
    """The hand-in under the name that the roster gives its student."""
    return replace(
        handin,
        student=row.student,
        name=row.name or handin.name,
        email=row.email or handin.email,
        late=handin.late if row.late is None else row.late,
        submitted=row.submitted or handin.submitted,
        notes=(*((row.note,) if row.note else ()), *handin.notes),
    )


def _timed(handin: Handin, assignment: Assignment) -> Handin:
    """Lateness: what the export or the roster says, else from the time that they give. Never from the times of files."""
    late = assignment.late(handin.submitted)
    return handin if handin.late is not None or late is None else replace(handin, late=late)
