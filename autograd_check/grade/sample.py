"""A class that never was, for trying out `grade`: right in varied styles, one and two mistakes, unfinished, crashing, hostile,
late, misnamed and unreadable files. The mistakes are those of the lessons, so `truth.csv` can say what each file is.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from autograd_check.course.files import replace_text
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.mistakes import edited_source
from autograd_check.course.spec import Mistake
from autograd_check.errors import SubmissionError
from autograd_check.grade.roster import ASSIGNMENT_FILE, ROSTER_FILE, read_assignment
from autograd_check.grade.submission import definitions

TRUTH = "truth.csv"
DUE = datetime(2026, 3, 6, 22, 59, tzinfo=UTC)

GIVEN = [
    "Ada",
    "Ben",
    "Chen",
    "Dora",
    "Emeka",
    "Fatima",
    "Grace",
    "Hugo",
    "Ines",
    "Jun",
    "Kofi",
    "Lena",
    "Mina",
    "Noor",
    "Oskar",
    "Priya",
    "Quentin",
    "Rosa",
    "Sven",
    "Tam",
    "Uma",
    "Vera",
    "Wei",
    "Yara",
    "Zoë",
]
FAMILY = [
    "Müller",
    "Ng",
    "O'Brien",
    "Okafor",
    "García",
    "Ivanova",
    "Schmidt",
    "Rossi",
    "Tanaka",
    "Singh",
    "Kowalski",
    "Haddad",
    "Andersen",
    "Lovelace",
    "Noether",
    "Turing",
]


class Sort(StrEnum):
    """What a file is."""

    RIGHT = "right"
    ONE = "one mistake"
    TWO = "two mistakes"
    UNFINISHED = "unfinished"
    CRASHING = "crashing"
    HOSTILE = "hostile"
    UNREADABLE = "unreadable"
    MISSING = "missing"


SHARES = {
    Sort.RIGHT: 50,
    Sort.ONE: 20,
    Sort.TWO: 6,
    Sort.UNFINISHED: 8,
    Sort.CRASHING: 5,
    Sort.HOSTILE: 3,
    Sort.UNREADABLE: 3,
    Sort.MISSING: 5,
}

CRASHES: dict[str, Callable[[str], str]] = {
    "a colon is missing": lambda text: re.sub(r"^(def \w+\(.*\)):", r"\1", text, count=1, flags=re.MULTILINE),
    "an error while it is loaded": lambda text: f"{text}\nSCALE = 1 / 0\n",
    "a name that is not there": lambda text: re.sub(r"^(\s+)return ", r"\1retrun_value + 1\n\1return ", text, count=1, flags=re.MULTILINE),
    "code from somewhere else": lambda text: "class Solution:\n    def twoSum(self, nums, target):\n        return [0, 1]\n",
}  # fmt: skip

HOSTILE = {
    "ends its process": "import os\nos._exit(0)\n",
    "patches the comparison": "import torch\ntorch.allclose = torch.equal = lambda *a, **k: True\n",
    "prints a verdict": 'print(\'{"schema": 1, "lessons": [{"status": "passed", "score": 10}]}\')\nraise SystemExit(0)\n',
    "writes a result": "open('records.jsonl', 'w').write('passed')\n",
    "reads what is not its own": "SECRET = open('/etc/passwd').read()\nraise ValueError(SECRET)\n",
    "starts processes": "import os\nwhile True:\n    os.fork()\n",
}

BROKEN: dict[str, Callable[[str], bytes]] = {
    "nothing in it": lambda text: b"",
    "UTF-16": lambda text: text.encode("utf-16"),
    "a compiled file": lambda text: b"\xa7\r\r\n\0\0\0\0" + text.encode()[:40],
    "Latin-1": lambda text: f"# von Zoë\n{text}".encode("latin-1", "replace"),
}

NAMES: tuple[Callable[[str], str], ...] = (
    lambda name: f"{name.capitalize()}.py",
    lambda name: f"{name} (1).py",
    lambda name: f"{name}_final.py",
    lambda name: f"my_{name}_solution.py",
)


@dataclass(frozen=True)
class Made:
    """A file of the sample: its lesson, what it is, in words what that means, its name, and its content (None: not there)."""

    lesson: str
    sort: Sort
    detail: str
    name: str
    content: bytes | None


def write_sample(course: Course, folder: Path, students: int, seed: int, lessons: Sequence[str] = ()) -> int:
    """Write a class into a new folder; returns the number of files. The same seed gives the same class.

    `lessons` are as `grade --lessons` takes them; by default the first unit. Raises `SubmissionError` for a folder that
    is not empty, `CourseError` for an unknown lesson.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SubmissionError(f"{folder} is there already; a sample is written into a new folder.")
    first = next(iter(course.outline.units))
    points = read_assignment(course.outline, list(lessons) or [first], folder).points
    chance = random.Random(seed)
    chosen = [course.lesson(name) for name in points]
    roster: list[list[str]] = [["student", "name", "email", "submitted"]]
    truth: list[list[str]] = [["student", "lesson", "is", "detail", "file"]]
    count = 0
    for student, name in _people(students, chance):
        (folder / student).mkdir(parents=True)
        nested = chance.random() < 0.2
        for made in (_made(lesson, student, chance) for lesson in chosen):
            unit = course.outline.lesson(made.lesson).unit
            path = Path(student, *(("lessons", unit) if nested else ()), made.name)
            if made.content is not None:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(made.content)
                count += 1
            truth.append([student, made.lesson, made.sort, made.detail, "" if made.content is None else path.as_posix()])
        handed = DUE - timedelta(minutes=chance.randrange(-120 if chance.random() < 0.1 else 1, 4000))
        roster.append([student, name, f"{_address(student)}@example.edu", handed.isoformat()])
    roster.append([f"{GIVEN[0]} Nobody", f"{GIVEN[0]} Nobody", "nobody@example.edu", ""])
    replace_text(folder / ROSTER_FILE, _csv(roster))
    replace_text(folder / TRUTH, _csv(truth))
    table = "".join(f"{name} = {value:g}\n" for name, value in points.items())
    replace_text(folder / ASSIGNMENT_FILE, f'title = "A sample"\ndue = {DUE.isoformat()}\n\n[lessons]\n{table}')
    return count


def _people(count: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Students as folders are named after them; two of one name get a number, as a download gives it."""
    seen: dict[str, int] = {}
    for _ in range(count):
        name = f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}"
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} ({seen[name]})"), name


def _address(student: str) -> str:
    return re.sub(r"[^\w]+", ".", student).strip(".").lower()


def _made(lesson: CourseLesson, student: str, chance: random.Random) -> Made:
    """One file, drawn by the shares of a class."""
    name = lesson.spec.name
    (sort,) = chance.choices(list(SHARES), list(SHARES.values()))
    reference = handed_in(lesson.reference_source())
    signed = f"# {student}\n" if chance.random() < 0.9 else ""  # without a name, several hand in the very same file
    file_name = f"{name}.py"
    content: bytes | None = None
    detail = ""
    if sort is Sort.RIGHT:
        detail, text = _right(lesson, chance)
        text = signed + text
        file_name, content, style = _styled(name, text, chance)
        detail = ", ".join(part for part in (detail, style) if part)
    elif sort in (Sort.ONE, Sort.TWO):
        names, text = _mistaken(lesson, 1 if sort is Sort.ONE else 2, chance)
        sort = (Sort.RIGHT, Sort.ONE, Sort.TWO)[len(names)]
        detail, content = " and ".join(names), (signed + text).encode()
    elif sort is Sort.UNFINISHED:
        detail, text = _unfinished(lesson, reference, chance)
        content = (signed + text).encode()
    elif sort is Sort.CRASHING:
        detail = chance.choice(list(CRASHES))
        content = (signed + CRASHES[detail](reference)).encode()
    elif sort is Sort.HOSTILE:
        detail = chance.choice(list(HOSTILE))
        wrong = _mistaken(lesson, 1, chance)[1]
        content = (HOSTILE[detail] + wrong).encode()
    elif sort is Sort.UNREADABLE:
        detail = chance.choice(list(BROKEN))
        content = BROKEN[detail](reference)
    return Made(name, sort, detail, file_name, content)


def handed_in(source: str) -> str:
    """A solution as a student hands it in: without markers, what is handed out as a stub, and the specification."""
    text = source.partition("### BEGIN SPEC")[0]
    text = re.sub(r"^ *### BEGIN STUB\n.*?^ *### END STUB\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^ *### (?:BEGIN|END) SOLUTION\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^(\s*(?:from|import) )solutions\b", r"\1lessons", text, flags=re.MULTILINE).rstrip("\n") + "\n"


def variant_texts(lesson: CourseLesson) -> dict[str, str]:
    """The lesson's variants as files, those that can be written as one: other right ways to do it, by name."""
    sources = [lesson.reference_source(), *_elsewhere(lesson)]
    texts: dict[str, str] = {}
    for variant in lesson.spec.variants:
        names = {function.__name__: given for given, function in variant.functions.items()}
        rest = [name for name in lesson.functions() if name not in variant.functions]
        text = definitions(sources, [*names, *rest])
        for own, given in names.items():
            text = re.sub(rf"^def {given}\b.*?(?=^\S|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
            text = re.sub(rf"\b{re.escape(own)}\b", given, text)
        text = handed_in(text)
        if set(lesson.functions()) <= _functions(text) and "autograd_check" not in text:
            texts[variant.name] = text
    return texts


def _elsewhere(lesson: CourseLesson) -> list[str]:
    """The file of a lesson's variants, without what it imports from the lesson itself: that is in the same file now."""
    if not lesson.variants.exists():
        return []
    own = rf"^from solutions\.{lesson.unit}\.{lesson.spec.name} import (\([^)]*\)|.*)\n"
    return [re.sub(own, "", lesson.variants.read_text(encoding="utf-8"), flags=re.MULTILINE)]


def _right(lesson: CourseLesson, chance: random.Random) -> tuple[str, str]:
    texts = {"": handed_in(lesson.reference_source()), **variant_texts(lesson)}
    name = chance.choice(list(texts))
    return name, texts[name]


def _styled(name: str, text: str, chance: random.Random) -> tuple[str, bytes, str]:
    """A right file as somebody else would hand it in: its name, its content, and what was done in words."""
    style = chance.choice(["", "", "", "without comments", "Windows", "a byte order mark", "a notebook", "misnamed"])
    if style == "without comments":
        signed = text.partition("\n")[0] if text.startswith("#") else ""
        return f"{name}.py", f"{signed}\n{ast.unparse(ast.parse(text))}\n".encode(), style
    if style == "Windows":
        return f"{name}.py", text.replace("\n", "\r\n").encode(), style
    if style == "a byte order mark":
        return f"{name}.py", text.encode("utf-8-sig"), style
    if style == "a notebook":
        return f"{name}.ipynb", _notebook(text).encode(), style
    return (chance.choice(NAMES)(name) if style else f"{name}.py"), text.encode(), style


def _notebook(text: str) -> str:
    cells = ["%matplotlib inline", text, "print('done')"]
    made: list[dict[str, object]] = [
        {"cell_type": "code", "source": cell.splitlines(keepends=True), "metadata": {}, "outputs": [], "execution_count": None}
        for cell in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)


def _mistaken(lesson: CourseLesson, wanted: int, chance: random.Random) -> tuple[list[str], str]:
    """The reference with so many of the lesson's own mistakes, as far as they go together; and their names."""
    edits = [known for known in lesson.spec.mistakes if known.edit is not None or known.added]
    chance.shuffle(edits)
    source = lesson.reference_source()
    made: list[str] = []
    for known in edits:
        if len(made) < wanted and _fits(source, known):
            source = edited_source(source, known, lesson.spec.name)
            made.append(known.name)
    return made, handed_in(source)


def _fits(source: str, known: Mistake) -> bool:
    """Whether a mistake can still be made in a text, and the text is python afterwards."""
    if known.edit is not None and known.edit[0] not in source.partition("### BEGIN SPEC")[0]:
        return False
    return bool(_functions(edited_source(source, known, known.name)))


def _unfinished(lesson: CourseLesson, reference: str, chance: random.Random) -> tuple[str, str]:
    """The stub, or the reference with its last function still to be written."""
    if chance.random() < 0.5 or len(lesson.functions()) < 2:
        return "the stub", lesson.stub_source()
    last = lesson.functions()[-1]
    tree = ast.parse(reference)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == last:
            node.body = ast.parse(f"raise NotImplementedError({last!r})").body
    return f"{last} is not written", ast.unparse(tree) + "\n"


def _functions(text: str) -> set[str]:
    try:
        return {node.name for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    except SyntaxError:
        return set()


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
