"""A course at a glance: its lessons in order, read from the solution files without running them.

Running a lesson needs torch, which takes seconds to import; the status of a course must not. So the few literals that it
shows (title, prerequisites, time, points, hints) are read from the syntax tree of `LESSON = Lesson(...)`.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from autograd_check.course.about import ABOUT_FILE
from autograd_check.course.fields import FIELDS, LITERAL, did_you_mean, misfit
from autograd_check.course.imported import bare
from autograd_check.course.own import TITLE_FILE, source_of
from autograd_check.errors import CourseError

UNIT = re.compile(r"u[0-9]+_[a-z0-9_]+")
"""The name of a unit's folder."""

_SPECIFICATION = re.compile(r"^LESSON\b", re.MULTILINE)


@dataclass(frozen=True)
class LessonEntry:
    """What is known about a lesson without running it. The defaults are those of `Lesson`; `minutes` is the expected time."""

    name: str
    title: str
    unit: str
    solution: Path
    stub: Path
    requires: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    points: int = 10
    minutes: int = 15
    given: bool = False
    why: str = ""

    @property
    def released(self) -> bool:
        """Whether the course was released without the reference: the solution file has the specification alone."""
        return numbers_file(self.solution).is_file()


def numbers_file(solution: Path) -> Path:
    """Where a released course keeps what a lesson's known mistakes yield."""
    return solution.with_suffix(".npz")


@dataclass(frozen=True)
class Outline:
    """The lessons of a course folder, ordered by unit and then by prerequisites.

    `root` holds the files of whoever takes the course (`lessons/`, progress), `source` the course itself (`solutions/`): one
    folder in the course's repository, two for a student with a folder of their own. `broken` are files that were meant to be
    lessons, by name, each with what is wrong: the others can be used all the same.
    """

    root: Path
    source: Path
    lessons: tuple[LessonEntry, ...]
    broken: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether this is somebody's own folder, made by `autograd-check start`."""
        return self.root != self.source

    @property
    def units(self) -> dict[str, tuple[LessonEntry, ...]]:
        """Lessons by unit folder, both in order."""
        names = dict.fromkeys(entry.unit for entry in self.lessons)
        return {unit: tuple(entry for entry in self.lessons if entry.unit == unit) for unit in names}

    def lesson(self, name: str) -> LessonEntry:
        """The lesson of this name, in any case, or of the file of this name (`lessons/u02_network/linear.py`).

        Raises `CourseError` with the names that come close.
        """
        wanted = _last_part(name)
        for entry in self.lessons:
            if entry.name.casefold() == wanted.casefold():
                return entry
        for broken, says in self.broken.items():
            if broken.casefold() == wanted.casefold():
                raise CourseError(says)
        raise CourseError(unknown_lesson(wanted, [entry.name for entry in self.lessons], self.root))

    def lessons_of(self, name: str) -> tuple[LessonEntry, ...]:
        """The lessons of a unit (`u02`, `u02_network`, `network`, its folder), or the one of this name. Raises `CourseError`."""
        wanted = _last_part(name).casefold()
        if all(entry.name.casefold() != wanted for entry in self.lessons):
            for unit, lessons in self.units.items():
                number, _, words = unit.casefold().partition("_")
                if wanted in (unit.casefold(), number, words):
                    return lessons
        return (self.lesson(name),)


def _last_part(name: str) -> str:
    """`linear` for `lessons/u02_network/linear.py`; a name that is no path is itself."""
    return name.rstrip("/").rpartition("/")[2].removesuffix(".py")


def unit_title(unit: str) -> str:
    """`u02_network` as people read it: "Unit 2 · network"."""
    number, _, words = unit.removeprefix("u").partition("_")
    return f"Unit {int(number)} · {words.replace('_', ' ')}"


def unknown_lesson(name: str, names: list[str], where: Path) -> str:
    """The sentence for a lesson that is not there, with near matches."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(near)}?" if near else "`autograd-check list` shows all lessons."
    return f"There is no lesson named {name!r} in {where}. {advice}"


def find_course(start: Path) -> Path:
    """The nearest folder, from `start` upward, that is a course or somebody's own folder of one. Raises `CourseError`."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if is_course(folder) or (folder / TITLE_FILE).is_file():
            return folder
    raise CourseError(
        f"No course was found: neither {start} nor a folder above it has a {TITLE_FILE}, a solutions/{ABOUT_FILE}, or both a "
        "lessons/ and a solutions/ folder. Change into a course folder or name one with --course DIR. To take the course: "
        "autograd-check start DIR. To write one: autograd-check new-course DIR."
    )


def is_course(folder: Path) -> bool:
    """Whether a folder holds `solutions/` and says what they are, or has the `lessons/` made from them."""
    solutions = folder / "solutions"
    return (solutions / ABOUT_FILE).is_file() or (solutions.is_dir() and (folder / "lessons").is_dir())


def source_folder(root: Path) -> Path:
    """The folder that holds the `solutions/` of the course in `root`. Raises `CourseError` where that is no course."""
    return root if is_course(root) else source_of(root)


def read_outline(root: Path) -> Outline:
    """The outline of the course in `root`, with what is wrong with lessons that cannot be read. Raises `CourseError`."""
    root = root.resolve()
    source = source_folder(root)
    return Outline(root, source, *_read(root, source))


def read_lessons(root: Path, source: Path) -> tuple[LessonEntry, ...]:
    """The lessons of the course in `source` in order, with the files of a student in `root`.

    Raises `CourseError` where a file or the order of lessons makes no sense.
    """
    lessons, broken = _read(root, source)
    if broken:
        raise CourseError("\n".join(broken.values()))
    return lessons


def _read(root: Path, source: Path) -> tuple[tuple[LessonEntry, ...], dict[str, str]]:
    """The lessons in order, and what is wrong with those that are none."""
    entries: dict[str, LessonEntry] = {}
    broken: dict[str, str] = {}
    for path in sorted(source.glob("solutions/*/[!_]*.py")):
        try:
            entry = _read_entry(root, source, path)
        except CourseError as error:
            broken[path.stem] = str(error)
            continue
        if entry is None:
            continue
        if entry.name in entries:
            other = entries[entry.name].solution.relative_to(source)
            broken[entry.name] = f"Two lessons are named {entry.name!r}: {other} and {path.relative_to(source)}. Rename one."
        entries[entry.name] = entry
    while found := _misplaced(source, entries, broken):
        broken |= found
    return _ordered({name: entry for name, entry in entries.items() if name not in broken}), broken


def _read_entry(root: Path, source: Path, path: Path) -> LessonEntry | None:
    where = path.relative_to(source)
    text = path.read_text(encoding="utf-8")
    start = _SPECIFICATION.search(text)
    if start is None:
        _refuse_lost(where, text)
        return None
    if not UNIT.fullmatch(path.parent.name):
        raise CourseError(
            f"{where}:1: {path.parent.name}/ is no unit: rename the folder to a number and a word, as in u01_first."
        )
    try:
        call = _call(ast.parse(text[start.start() :]))
    except SyntaxError as error:
        line = text.count("\n", 0, start.start()) + (error.lineno or 1)
        raise CourseError(f"{where}:{line}: the specification is not valid Python: {bare(error)}.") from None
    before = text.count("\n", 0, start.start())
    if call is None:
        raise CourseError(f"{where}:{before + 1}: expected `LESSON = Lesson(...)` written out as one call.")
    values = _literals(call, where, before)
    if values.get("name") != path.stem:
        line = before + next((keyword.value.lineno for keyword in call.keywords if keyword.arg == "name"), 1)
        raise CourseError(
            f"{where}:{line}: the lesson calls itself {values.get('name')!r}; its name must be {path.stem!r}: name={path.stem!r}."
        )
    if "title" not in values:
        raise CourseError(f"{where}:{before + 1}: LESSON has no title: add title='...'.")
    return LessonEntry(unit=path.parent.name, solution=path, stub=root / "lessons" / path.parent.name / path.name, **values)


def _refuse_lost(where: Path, text: str) -> None:
    """Raise `CourseError` for a file that has a specification, but no LESSON in it; others are no lessons."""
    lines = text.splitlines()
    spec = next((number for number, line in enumerate(lines, 1) if line.strip() == "### BEGIN SPEC"), None)
    if spec is not None:
        line = next((number for number, line in enumerate(lines, 1) if re.match(r"\w+ = Lesson\(", line)), spec)
        came = f"found {lines[line - 1].partition('(')[0]}(...)" if line != spec else "and there is none"
        raise CourseError(f"{where}:{line}: expected LESSON = Lesson(...) in the specification, {came}.")


def _call(tree: ast.Module) -> ast.Call | None:
    statement = tree.body[0] if tree.body else None
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign)) else None
    return value if isinstance(value, ast.Call) else None


def _literals(call: ast.Call, where: Path, before: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for keyword in call.keywords:
        line, name = before + keyword.value.lineno, keyword.arg or ""
        if name not in FIELDS and name:
            raise CourseError(f"{where}:{line}: Lesson(...) takes no {name}; {did_you_mean(name, FIELDS)}")
        try:
            value = ast.literal_eval(keyword.value)
        except ValueError:
            if name in LITERAL:
                raise CourseError(
                    f"{where}:{line}: LESSON's {name} must be a literal, so that a course can be listed without running it."
                ) from None
            continue
        if unfit := misfit(name, value):
            raise CourseError(f"{where}:{line}: {unfit}")
        if name in LITERAL:
            values[name] = value
    return values


def _misplaced(source: Path, entries: Mapping[str, LessonEntry], broken: Collection[str]) -> dict[str, str]:
    """What is wrong with the prerequisites of lessons that are not known to be broken."""
    found: dict[str, str] = {}
    whole = {name: entry for name, entry in entries.items() if name not in broken}
    for name, entry in whole.items():
        where = f"{entry.solution.relative_to(source)}:{_line_of(entry.solution, 'requires')}"
        for needed in entry.requires:
            if needed not in entries and needed not in broken:
                near = unknown_lesson(needed, list(entries), source)
                found[name] = f"{where}: {name} requires {needed!r}. {near}"
            elif needed in whole and whole[needed].unit > entry.unit:
                later = f"{name} ({entry.unit}) requires {needed}, which comes later ({whole[needed].unit})."
                found[name] = f"{where}: {later}"
    for circle in [] if found else _circles(whole):
        entry = whole[circle[0]]
        where = f"{entry.solution.relative_to(source)}:{_line_of(entry.solution, 'requires')}"
        says = f"lessons require each other in a circle: {' → '.join(circle)}. Take one of them out of requires=(...)."
        found |= dict.fromkeys(circle, f"{where}: {says}")
    return found


def _circles(entries: Mapping[str, LessonEntry]) -> list[list[str]]:
    """The first circle of lessons that require each other, from one to itself; none where there is none."""
    try:
        TopologicalSorter({name: entry.requires for name, entry in entries.items()}).prepare()
    except CycleError as error:
        return [list(reversed(error.args[1]))]
    return []


def _ordered(entries: Mapping[str, LessonEntry]) -> tuple[LessonEntry, ...]:
    graph = {
        name: [needed for needed in entry.requires if needed in entries and entries[needed].unit == entry.unit]
        for name, entry in entries.items()
    }
    return tuple(
        entries[name]
        for unit in sorted({entry.unit for entry in entries.values()})
        for name in _by_prerequisites({name: graph[name] for name in entries if entries[name].unit == unit})
    )


def _line_of(path: Path, keyword: str) -> int:
    """The line in which a keyword of the specification stands; 1 where it is not found."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.strip().startswith(f"{keyword}=")), 1)


def _by_prerequisites(graph: Mapping[str, list[str]]) -> list[str]:
    """Every name after the names that it needs; alphabetical where nothing decides."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    ready: list[str] = []
    ordered: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()])
        ordered.append(ready.pop(0))
        sorter.done(ordered[-1])
    return ordered
