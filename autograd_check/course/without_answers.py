"""A course without its answers: solution files of which only the stub and what a grader needs of the specification are left.

The specification is cut on its syntax tree, whatever words it is written in: its mistakes and variants go, and every
definition and import that nothing else needs. What is needed and has a line of an answer all the same (the implementations
that a lesson in writing tests tries, an oracle that loops as the reference does) is kept packed.
"""

from __future__ import annotations

import ast
import linecache
import zlib
from base64 import b85decode, b85encode
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType

from autograd_check.course.files import read_text
from autograd_check.course.given_away import SHORTEST
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.markers import read_layout
from autograd_check.course.mistakes import edited_source
from autograd_check.errors import CourseError

LEFT_OUT = ("mistakes", "variants")
"""What a released specification does not say."""

FOLDERS_LEFT_OUT = ("variants",)
"""Folders of `solutions/` that hold nothing but answers."""

LAST = "globals().update(stand_ins(LESSON))"
"""The last line of a released specification: later lessons, and networks that are trained, find functions in the file."""


def unpacked(text: str) -> str:
    """A text that a release keeps packed."""
    return zlib.decompress(b85decode(text)).decode()


def _packed(text: str) -> str:
    return b85encode(zlib.compress(text.encode(), 9)).decode()


def secret_lines(course: Course) -> dict[str, str]:
    """Every line that a release must not hold, without its indent, and whose answer it is.

    Those are the lines of references (between solution markers), and of mistakes and variants (but for headers such as
    `for row in x:`), that have 20 characters or more and stand in no stub.
    """
    found: dict[str, str] = {}
    handed_out = {line for text in course.given().values() for line in _lines(text)}
    for lesson in course.lessons:
        handed_out |= set(_lines(lesson.stub_source()))
        more = (line for line in _beside(lesson) if not line.endswith(":"))
        for line in (*_reference(lesson), *more):
            if len(line) >= SHORTEST:
                found.setdefault(line, lesson.spec.name)
    return {line: name for line, name in found.items() if line not in handed_out}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n")]


def _reference(lesson: CourseLesson) -> Iterator[str]:
    """The lines between the solution markers of a lesson."""
    source = lesson.reference_source()
    lines = _lines(source)
    for region in read_layout(source, lesson.solution).regions:
        if region.kind == "SOLUTION":
            yield from lines[region.first : region.last - 1]


def _beside(lesson: CourseLesson) -> Iterator[str]:
    """The lines of a lesson's mistakes, as far as they are not the reference's, and of its variants."""
    source, spec = lesson.reference_source(), lesson.spec
    lines = set(_lines(source))
    for mistake in spec.mistakes:
        if mistake.edit is not None:
            edited = edited_source(source, mistake, str(lesson.solution)).partition("### BEGIN SPEC")[0]
            yield from (line for line in _lines(edited) if line not in lines)
    for functions in [written.functions for written in spec.mistakes] + [written.functions for written in spec.variants]:
        for function in functions.values():
            if isinstance(function, FunctionType):
                yield from _source_of(function)


def _source_of(function: FunctionType) -> list[str]:
    """The lines of a function: from its first to the last one that any code inside it is from."""
    codes, last = [function.__code__], 0
    for code in codes:  # grows: functions inside functions
        codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        last = max(last, *(line or 0 for _, _, line in code.co_lines()))
    return [linecache.getline(code.co_filename, number).strip() for number in range(function.__code__.co_firstlineno, last + 1)]


def leaks(text: str, secrets: Collection[str]) -> list[tuple[int, str]]:
    """The lines of a text (counted from 1) that are a secret line, in a comment or a literal too, each with that line."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        inside = line.replace("\\n", "\n").split("\n") if "\\n" in line else [line]
        found += [
            (number, bare) for part in inside if (bare := part.strip(" \t#\"',")) in secrets or (bare := part.strip()) in secrets
        ]
    return found


def released_texts(course: Course) -> dict[Path, str]:
    """The files of a course without its answers, by path relative to its folder; a notebook that shows one is left out.

    Raises `CourseError` where a python file would give an answer away.
    """
    secrets = secret_lines(course)
    lessons = {lesson.solution: lesson for lesson in course.lessons}
    paths = [path for path in sorted(course.source.glob("solutions/**/*.py")) if "__pycache__" not in path.parts]
    wanted = _wanted({path: path.read_text(encoding="utf-8") for path in paths})
    texts: dict[Path, str] = {}
    for path in paths:
        where = path.relative_to(course.source)
        if any(part in FOLDERS_LEFT_OUT for part in where.parts):
            continue
        text = path.read_text(encoding="utf-8")
        texts[where] = without_answers(text, path, wanted.get(path.stem, set()), secrets) if path in lessons else text
    refuse_leaks(texts, secrets)
    notebooks = {path.relative_to(course.source): read_text(path) for path in sorted(course.source.glob("lessons/*/*.ipynb"))}
    return texts | {path: text for path, text in notebooks.items() if not leaks(text, secrets)}


def refuse_leaks(texts: Mapping[Path, str], secrets: Mapping[str, str]) -> None:
    """Raise `CourseError` if a line of an answer stands in one of the files."""
    found = [(path, number, line) for path, text in texts.items() for number, line in leaks(text, secrets.keys())]
    if found:
        path, number, line = found[0]
        more = f", and {len(found) - 1} more like it" if len(found) > 1 else ""
        raise CourseError(f"{path}:{number}: this would give away a line of an answer to {secrets[line]}: {line!r}{more}.")


def _wanted(texts: Mapping[Path, str]) -> dict[str, set[str]]:
    """The names that files of a course import from one another, by module."""
    found: dict[str, set[str]] = {}
    for text in texts.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "solutions":
                found.setdefault((node.module or "").split(".")[-1], set()).update(alias.name for alias in node.names)
    return found


def without_answers(source: str, where: Path, wanted: Collection[str], secrets: Collection[str]) -> str:
    """The text of a solution file with nothing in place of the reference, and the specification cut down.

    `wanted` are the names that other files import from it. Raises `CourseError` where the file is not valid Python.
    """
    lines, kept, position = source.split("\n"), list[str](), 0
    tree = ast.parse(source)
    for region in read_layout(source, where).regions:
        if region.kind == "SOLUTION":
            kept += lines[position : region.first]
            if region.function:
                kept.append(f"{_indent(lines[region.first - 1])}raise NotImplementedError({region.function!r})")
            position = region.last - 1
        elif region.kind == "SPEC":
            kept += lines[position : region.first]
            inside = [node for node in tree.body if region.first < node.lineno < region.last]
            kept += ["# an excerpt; the whole specification is not part of a release", _specification(inside, wanted, secrets)]
            position = region.last - 1
    return "\n".join([*kept, *lines[position:]])


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _specification(statements: list[ast.stmt], wanted: Collection[str], secrets: Collection[str]) -> str:
    """What is needed of a specification, as source text."""
    pack = _Pack(secrets)
    cut = [pack.visit(_Cut().visit(statement)) for statement in _needed([_Cut().visit(s) for s in statements], wanted)]
    imports = ["from autograd_check.course.stand_ins import stand_ins"]
    body = [pack.text(ast.unparse(ast.fix_missing_locations(statement))) for statement in cut]
    if pack.packed:
        imports.insert(0, "from autograd_check.course.without_answers import unpacked")
    return "\n".join([*imports, *body, LAST])


class _Cut(ast.NodeTransformer):
    """Takes the mistakes and variants out of the call that makes a lesson."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "Lesson":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in LEFT_OUT]
        return node


class _Pack(ast.NodeTransformer):
    """Packs literal texts that hold a line of an answer, and statements that still do."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = secrets
        self.packed = False

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str) or not leaks(node.value, self._secrets):
            return node
        self.packed = True
        return ast.Call(ast.Name("unpacked", ast.Load()), [ast.Constant(_packed(node.value))], [])

    def text(self, statement: str) -> str:
        """A statement, packed where a line of it is one of an answer: an oracle may loop as the reference does."""
        if not leaks(statement, self._secrets):
            return statement
        self.packed = True
        return f"exec(unpacked({_packed(statement)!r}))"


def _needed(statements: list[ast.stmt], wanted: Collection[str]) -> list[ast.stmt]:
    """The statements that define `LESSON` or something `wanted`, those that these need, and those that define no name."""
    keep: set[int] = set()
    names = {"LESSON", *wanted}
    while True:
        new = [
            number
            for number, statement in enumerate(statements)
            if number not in keep and (not (defined := _defined(statement)) or defined & names)
        ]
        if not new:
            break
        keep |= set(new)
        names |= {node.id for number in new for node in ast.walk(statements[number]) if isinstance(node, ast.Name)}
    return [_only(statement, names) for number, statement in enumerate(statements) if number in keep]


def _defined(statement: ast.stmt) -> set[str]:
    """The names that a statement binds; empty where it does something else."""
    match statement:
        case ast.FunctionDef() | ast.ClassDef():
            return {statement.name}
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
        case ast.Assign():
            return {node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()


def _only(statement: ast.stmt, names: Collection[str]) -> ast.stmt:
    """An import of those names alone that are needed; any other statement as it is."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        statement.names = [alias for alias in statement.names if (alias.asname or alias.name).split(".")[0] in names]
    return statement
