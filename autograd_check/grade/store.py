"""The store of a class: SQLite, one writer. Killed at any moment, it holds every result that was told to it, each once.

    student   who is in the class, and what is said about what they handed in
    source    every distinct file, once
    handed    which file of which student is which lesson, and the key of its result
    result    one for each key (`keys.py`); kept when nobody's file has that key any more
    override  an instructor's points for a student's lesson, with the reason; it survives every regrade

Nothing is read back from what is written beside it (`records.jsonl`, `grades.csv`).
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autograd_check.course.files import digest
from autograd_check.errors import SubmissionError
from autograd_check.grade.collect import Handin
from autograd_check.grade.jobs import Graded, Job, Keys, checker_version

STORE_FILE = "store.sqlite"
LOCK_FILE = ".lock"
VERSION = 1
MISSING = "missing"
"""The key, and the status, of a lesson that a student did not hand in."""

UNREADABLE = "unreadable"
PAGE = 100
"""Rows read at a time: the memory of the grader does not grow with the class."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS student (
    student TEXT PRIMARY KEY, place INTEGER NOT NULL, run INTEGER NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
    late INTEGER, submitted TEXT NOT NULL, notes TEXT NOT NULL, problem TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS student_place ON student (run, place);
CREATE TABLE IF NOT EXISTS source (digest TEXT PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS handed (
    student TEXT NOT NULL, lesson TEXT NOT NULL, path TEXT NOT NULL, digest TEXT, problem TEXT NOT NULL, key TEXT NOT NULL,
    beside TEXT NOT NULL, previous TEXT, PRIMARY KEY (student, lesson)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS handed_key ON handed (lesson, key);
CREATE TABLE IF NOT EXISTS result (
    key TEXT PRIMARY KEY, lesson TEXT NOT NULL, digest TEXT NOT NULL, specification TEXT NOT NULL, checker TEXT NOT NULL,
    seed INTEGER NOT NULL, status TEXT NOT NULL, score REAL NOT NULL, max_score REAL NOT NULL, isolation TEXT NOT NULL,
    seconds REAL NOT NULL, record TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS override (
    student TEXT NOT NULL, lesson TEXT NOT NULL, points REAL NOT NULL, why TEXT NOT NULL, made TEXT NOT NULL,
    PRIMARY KEY (student, lesson)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Kept:
    """A lesson of a student as the store has it; `record` is the result's JSON, None where there is none."""

    student: str
    lesson: str
    path: str
    problem: str
    key: str
    status: str | None
    score: float
    max_score: float
    isolation: str
    seconds: float
    record: str | None


@dataclass(frozen=True)
class Member:
    """A student of the class."""

    student: str
    name: str
    email: str
    late: bool | None
    submitted: str
    notes: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class Override:
    """An instructor's points for one lesson of one student."""

    points: float
    why: str
    made: str


@dataclass(frozen=True)
class Difference:
    """A lesson of a student whose result is another than in the run before, and what had changed."""

    student: str
    lesson: str
    before: tuple[str, float]
    after: tuple[str, float]
    why: str


class Store:
    """The store in a folder, open for one writer: `with Store.open(folder) as store: ...`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    @contextmanager
    def open(cls, folder: Path, *, make: bool = False) -> Iterator[Store]:
        """The store of a folder. Raises `SubmissionError` where there is none, or another run writes to it."""
        if not make and not (folder / STORE_FILE).is_file():
            raise SubmissionError(
                f"{folder} holds no graded class: expected {STORE_FILE} in it, as `autograd-check grade` writes it."
            )
        with _locked(folder), _connected(folder / STORE_FILE) as connection:
            yield cls(connection)

    # ── what is handed in ──────────────────────────────────────────────────────────────────────────────────────────────

    def begin_run(self, about: Mapping[str, Any]) -> int:
        """A new run; `about` is kept for later commands. Returns its number."""
        run = int(self.about("run", 0)) + 1
        with self._db:
            self._db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                [(name, json.dumps(value)) for name, value in {**about, "run": run}.items()],
            )
        return run

    def about(self, name: str, default: Any = None) -> Any:
        """Something kept about the class."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set_about(self, name: str, value: Any) -> None:
        """Keep something about the class."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    def receive(self, handins: Iterable[Handin], keys: Keys, run: int) -> Iterator[Handin]:
        """Keep what was handed in, a hundred students to a transaction, and pass it on."""
        waiting: list[Handin] = []
        place = 0
        for handin in handins:
            waiting.append(handin)
            if len(waiting) == PAGE:
                self._receive(waiting, keys, run, place)
                place += len(waiting)
                yield from waiting
                waiting = []
        self._receive(waiting, keys, run, place)
        yield from waiting

    def _receive(self, handins: Sequence[Handin], keys: Keys, run: int, place: int) -> None:
        with self._db:
            for number, handin in enumerate(handins, place):
                known = self._db.execute("SELECT 1 FROM student WHERE student = ?", (handin.student,)).fetchone() is not None
                late = None if handin.late is None else int(handin.late)
                self._db.execute(
                    "INSERT OR REPLACE INTO student VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (handin.student, number, run, handin.name, handin.email, late, handin.submitted,
                     json.dumps(handin.notes), handin.problem),
                )  # fmt: skip
                self._receive_files(handin, keys, known)

    def _receive_files(self, handin: Handin, keys: Keys, known: bool) -> None:
        """The student's files, with the keys of their results; what was handed in before and no longer is, is missing."""
        sources = {file.lesson: file.source for file in handin.files if file.source is not None}
        old = dict(self._db.execute("SELECT lesson, key FROM handed WHERE student = ?", (handin.student,)))
        for file in handin.files:
            if file.source is None:
                key, mark, beside = f"{UNREADABLE} {digest(file.problem)}", None, {}
            else:
                texts = keys.beside(file.lesson, sources)
                key, mark = keys.of(file.lesson, file.source, texts), digest(file.source)
                beside = {name: digest(text) for name, text in texts.items()}
                self._db.execute("INSERT OR IGNORE INTO source VALUES (?, ?)", (mark, _blob(file.source)))
            self._hand(handin.student, file.lesson, file.path, mark, file.problem, key, beside, MISSING if known else None)
        for lesson in old.keys() - {file.lesson for file in handin.files}:
            self._hand(handin.student, lesson, "", None, "", MISSING, {}, None)

    def _hand(
        self,
        student: str,
        lesson: str,
        path: str,
        mark: str | None,
        problem: str,
        key: str,
        beside: Mapping[str, str],
        new: str | None,
    ) -> None:
        """Keep one file. Where the key changed since the last complete run, the key of then is remembered."""
        self._db.execute(
            "INSERT INTO handed VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET path = excluded.path, "
            "digest = excluded.digest, problem = excluded.problem, beside = excluded.beside, key = excluded.key, "
            "previous = CASE WHEN handed.key = excluded.key THEN handed.previous "
            "WHEN handed.previous IS NULL THEN handed.key ELSE handed.previous END",
            (student, lesson, path, mark, problem, key, json.dumps(beside, sort_keys=True), new),
        )

    def handed_lessons(self, run: int) -> set[str]:
        """The lessons that anybody handed in."""
        query = "SELECT DISTINCT lesson FROM handed JOIN student USING (student) WHERE run = ? AND key != ?"
        return {lesson for (lesson,) in self._db.execute(query, (run, MISSING))}

    # ── what is to do ──────────────────────────────────────────────────────────────────────────────────────────────────

    def counts(self, run: int, lessons: Sequence[str]) -> tuple[int, int]:
        """How many results the class needs, and how many of them are there already."""
        total = done = 0
        for lesson in lessons:
            row = self._db.execute(
                "SELECT count(DISTINCT handed.key), count(DISTINCT result.key) FROM handed JOIN student USING (student) "
                "LEFT JOIN result ON result.key = handed.key WHERE handed.lesson = ? AND run = ? AND handed.digest IS NOT NULL",
                (lesson, run),
            ).fetchone()
            total, done = total + row[0], done + row[1]
        return total, done

    def pending(self, run: int, lessons: Sequence[str], keys: Keys) -> Iterator[Job]:
        """A job for every result that is not there, each once, an earlier lesson before a later one."""
        for lesson in lessons:
            last = ""
            while True:
                rows = self._db.execute(
                    "SELECT handed.key, min(student) FROM handed JOIN student USING (student) "
                    "LEFT JOIN result ON result.key = handed.key WHERE handed.lesson = ? AND handed.key > ? AND run = ? "
                    "AND handed.digest IS NOT NULL AND result.key IS NULL GROUP BY handed.key ORDER BY handed.key LIMIT ?",
                    (lesson, last, run, PAGE),
                ).fetchall()
                for key, student in rows:
                    yield self.job(student, lesson, keys)
                    last = key
                if not rows:
                    break

    def job(self, student: str, lesson: str, keys: Keys) -> Job:
        """The job of one file that was handed in and can be read. Raises `SubmissionError` where there is none."""
        row = self._db.execute(
            "SELECT digest, beside, key, problem FROM handed WHERE student = ? AND lesson = ?", (student, lesson)
        ).fetchone()
        if row is None or row[0] is None:
            said = "nothing was handed in" if row is None or not row[3] else row[3]
            raise SubmissionError(f"There is nothing to grade for {lesson} of {student}: {said}.")
        beside = {name: self._source(mark) for name, mark in json.loads(row[1]).items()}
        passed = {name: status == "passed" for name in beside if (status := self._status(student, name)) is not None}
        seeds = {name: keys.seed(name) for name in (lesson, *beside)}
        return Job(row[2], lesson, self._source(row[0]), seeds, beside, passed)

    def rekey(self, student: str, lesson: str, job: Job, keys: Keys) -> Job:
        """The same job under the key that it has with the course and the checker as they are now."""
        key = keys.of(lesson, job.source, job.beside)
        with self._db:
            self._db.execute("UPDATE handed SET key = ? WHERE student = ? AND lesson = ?", (key, student, lesson))
        return Job(key, lesson, job.source, job.seeds, job.beside, {})

    def add(self, results: Iterable[Graded], keys: Keys) -> None:
        """Keep results, in one transaction. One that is there already is replaced: it is the same."""
        with self._db:
            for one in results:
                mark = self._db.execute(
                    "SELECT digest FROM handed WHERE lesson = ? AND key = ?", (one.lesson, one.key)
                ).fetchone()
                self._db.execute(
                    "INSERT OR REPLACE INTO result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (one.key, one.lesson, mark[0] if mark else "", keys.specification(one.lesson), checker_version(),
                     keys.seed(one.lesson), one.status, one.score, one.max_score, one.isolation, one.seconds, one.record),
                )  # fmt: skip

    def _source(self, mark: str) -> str:
        row = self._db.execute("SELECT text FROM source WHERE digest = ?", (mark,)).fetchone()
        return bytes(row[0]).decode("utf-8", "surrogatepass")

    def _status(self, student: str, lesson: str) -> str | None:
        row = self._db.execute(
            "SELECT status FROM handed JOIN result USING (key) WHERE student = ? AND handed.lesson = ?", (student, lesson)
        ).fetchone()
        return None if row is None else str(row[0])

    # ── what came of it ────────────────────────────────────────────────────────────────────────────────────────────────

    def members(self, run: int) -> Iterator[Member]:
        """The students of a run, in its order."""
        last = -1
        while True:
            rows = self._db.execute(
                "SELECT student, name, email, late, submitted, notes, problem, place FROM student "
                "WHERE run = ? AND place > ? ORDER BY place LIMIT ?",
                (run, last, PAGE),
            ).fetchall()
            for student, name, email, late, submitted, notes, problem, place in rows:
                known = None if late is None else bool(late)
                yield Member(student, name, email, known, submitted, tuple(json.loads(notes)), problem)
                last = place
            if not rows:
                return

    def former(self, run: int) -> int:
        """How many students of earlier runs are not in this one."""
        return int(self._db.execute("SELECT count(*) FROM student WHERE run != ?", (run,)).fetchone()[0])

    def students(self) -> list[str]:
        """The names of all students."""
        return [student for (student,) in self._db.execute("SELECT student FROM student ORDER BY student")]

    def lessons_of(self, student: str) -> Mapping[str, Kept]:
        """What there is of a student, by lesson."""
        rows = self._db.execute(
            "SELECT student, handed.lesson, path, problem, handed.key, status, coalesce(score, 0), coalesce(max_score, 0), "
            "coalesce(isolation, 'not run'), coalesce(seconds, 0), record FROM handed LEFT JOIN result ON result.key = handed.key "
            "WHERE student = ? AND handed.key != ?",
            (student, MISSING),
        )
        return MappingProxyType({row[1]: Kept(*row) for row in rows})

    def same_files(self, run: int, lessons: Sequence[str], most: int) -> list[tuple[str, int, list[str]]]:
        """Lessons for which several students handed in the very same file: how many, and the first of them; stubs aside."""
        found = []
        for lesson in lessons:
            rows = self._db.execute(
                "SELECT handed.digest, count(*) FROM handed JOIN student USING (student) JOIN result ON result.key = handed.key "
                "WHERE handed.lesson = ? AND run = ? AND status != 'todo' GROUP BY handed.digest HAVING count(*) > 1 "
                "ORDER BY count(*) DESC, min(place) LIMIT ?",
                (lesson, run, most),
            ).fetchall()
            for mark, count in rows:
                query = "SELECT student FROM handed JOIN student USING (student) WHERE lesson = ? AND run = ? AND digest = ? ORDER BY place LIMIT 5"
                found.append((lesson, int(count), [name for (name,) in self._db.execute(query, (lesson, run, mark))]))
        return found

    def differences(self, run: int, lessons: Sequence[str]) -> Iterator[Difference]:
        """Lessons whose status or points differ from those of the last complete run, student by student."""
        marks = ",".join("?" * len(lessons))
        rows = self._db.execute(
            "SELECT student, lesson, previous, key FROM handed JOIN student USING (student) "
            f"WHERE run = ? AND previous IS NOT NULL AND previous != key AND lesson IN ({marks}) ORDER BY place, lesson",
            (run, *lessons),
        ).fetchall()
        for student, lesson, before, after in rows:
            old, new = self._outcome(before), self._outcome(after)
            if old is not None and new is not None and old[:2] != new[:2]:
                parts = (("file", 2), ("lesson", 3), ("checker", 4), ("key", 5))
                changed = [name for name, place in parts if old[place] != new[place] and None not in (old[place], new[place])]
                yield Difference(student, lesson, old[:2], new[:2], " and ".join(changed) or "file")

    def end_run(self) -> None:
        """The run is complete: the next one is compared with it."""
        with self._db:
            self._db.execute("UPDATE handed SET previous = NULL WHERE previous IS NOT NULL")

    def _outcome(self, key: str) -> tuple[str, float, Any, Any, Any, Any] | None:
        if key == MISSING or key.startswith(UNREADABLE):
            return (MISSING if key == MISSING else "failed", 0.0, None, None, None, None)
        query = "SELECT status, score, digest, specification, checker, seed FROM result WHERE key = ?"
        found: tuple[str, float, Any, Any, Any, Any] | None = self._db.execute(query, (key,)).fetchone()
        return found

    # ── what an instructor says ────────────────────────────────────────────────────────────────────────────────────────

    def override(self, student: str, lesson: str, points: float, why: str, made: str) -> None:
        """Keep an instructor's points."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO override VALUES (?, ?, ?, ?, ?)", (student, lesson, points, why, made))

    def overrides(self, student: str) -> Mapping[str, Override]:
        """The instructor's points of a student, by lesson."""
        rows = self._db.execute("SELECT lesson, points, why, made FROM override WHERE student = ?", (student,))
        return MappingProxyType({lesson: Override(points, why, made) for lesson, points, why, made in rows})


def _blob(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time; the lock is gone with the process, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SubmissionError(f"{folder} cannot be written to: {error.strerror or error}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SubmissionError(f"{folder} is being written by another run; wait for it, or name another folder.") from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, in the mode in which a kill loses nothing that was committed."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
            raise SubmissionError(f"{path} was written by another version of this program; grade into a new folder.")
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        yield connection
    except sqlite3.DatabaseError as error:
        raise SubmissionError(f"{path} cannot be used as the store of a class: {error}") from error
    finally:
        connection.close()
