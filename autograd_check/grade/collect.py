"""SUBMISSIONS as `grade` takes them: a folder, an archive, or a roster; one `Handin` for each student, as they are read."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from autograd_check.course.outline import Outline
from autograd_check.errors import SubmissionError
from autograd_check.grade.assignment import ASSIGNMENT_FILE, Assignment
from autograd_check.grade.handin import SUFFIXES, Entry, Handin, Sorter
from autograd_check.grade.inbox import Archive, Folder, Inbox, is_archive
from autograd_check.grade.owners import METADATA, Owner, owner_of, read_metadata
from autograd_check.grade.roster import ROSTER_FILE, Enrolled, index, read_roster, squeezed

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
