"""Loads a course by path: `lessons/` (what students fill in) and `solutions/` (references and specifications).

A lesson file is run when its lesson is first asked for, under a private module name, with the course folder in front of
`sys.path`, so that `from solutions.u02_network.linear import linear_forward` works inside a later lesson. Afterwards
`sys.path` and the modules named `solutions` and `lessons` are as they were: two courses in one process never mix.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import autograd_check.course as words
from autograd_check.causes import Cause
from autograd_check.course.about import stated_vocabulary
from autograd_check.course.demands import PLACEHOLDER, demands, undefined
from autograd_check.course.fields import did_you_mean
from autograd_check.course.given_away import given_away
from autograd_check.course.imported import COURSE_PACKAGES, GIVEN, bare
from autograd_check.course.outline import LessonEntry, Outline, find_course, numbers_file, read_outline
from autograd_check.course.places import Places
from autograd_check.course.spec import Lesson
from autograd_check.course.stubs import make_stub
from autograd_check.course.variants import Others, completed, listed, variants_file
from autograd_check.errors import CourseError

COURSE_MODULE = "_course_"
"""How the private names begin under which files of a course are run."""


@dataclass(frozen=True)
class CourseLesson:
    """A lesson in its course: the specification, the folder name of its unit, the reference file and the student's file."""

    spec: Lesson
    unit: str
    solution: Path
    stub: Path

    @property
    def source(self) -> Path:
        """The folder that holds the course's `solutions/`."""
        return self.solution.parents[2]

    @property
    def variants(self) -> Path:
        """The file of other ways to write it, and of whole functions that go wrong; it need not be there."""
        return variants_file(self.solution)

    @property
    def numbers(self) -> Path:
        """See `numbers_file`."""
        return numbers_file(self.solution)

    @property
    def released(self) -> bool:
        """See `LessonEntry.released`."""
        return self.numbers.is_file()

    def reference_source(self) -> str:
        """Text of the solution file."""
        return self.solution.read_text(encoding="utf-8")

    @property
    def places(self) -> Places:
        """Where things stand in the solution file."""
        return Places.of(self.reference_source(), self.solution.relative_to(self.source))

    def stub_source(self) -> str:
        """Text of the file that a student starts from, made from the solution.

        Raises `MarkerError`, and `CourseError` where an answer would be handed out.
        """
        source, where = self.reference_source(), self.solution.relative_to(self.source)
        if told := given_away(source, where):
            raise CourseError("\n".join(told))
        return make_stub(source, where)

    def functions(self) -> tuple[str, ...]:
        """Names of the functions that the lesson asks for."""
        return self.spec.functions


@dataclass(frozen=True)
class Course:
    """A course folder; lessons are loaded when they are asked for, each once."""

    outline: Outline
    _loaded: dict[str, CourseLesson] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def load(cls, path: Path | str) -> Course:
        """The course in the folder `path`. Raises `CourseError` if that is none."""
        return cls(read_outline(Path(path)))

    @classmethod
    def find(cls, start: Path | str = ".") -> Course:
        """The course of the nearest folder from `start` upward. Raises `CourseError`."""
        return cls.load(find_course(Path(start)))

    @property
    def root(self) -> Path:
        """The folder of whoever takes the course: `lessons/`, progress."""
        return self.outline.root

    @property
    def source(self) -> Path:
        """The folder that holds the course itself: `solutions/`."""
        return self.outline.source

    def authored(self) -> Course:
        """The same course, for who writes it. Raises `CourseError` in a student's own folder, which has no `solutions/`."""
        if self.outline.own:
            raise CourseError(
                f"{self.root} is somebody's own folder, without solutions/. To bring a newer course: autograd-check update"
            )
        return self

    @property
    def lessons(self) -> tuple[CourseLesson, ...]:
        """All lessons, by unit and then by prerequisites. Runs every lesson file. Raises `CourseError` where one cannot be read."""
        if self.outline.broken:
            raise CourseError("\n".join(self.outline.broken.values()))
        return tuple(self.lesson(entry.name) for entry in self.outline.lessons)

    def lesson(self, name: str) -> CourseLesson:
        """One lesson. Raises `CourseError`, with near matches, if there is none of this name."""
        if name in self._loaded:
            return self._loaded[name]
        entry = self.outline.lesson(name)
        if entry.name not in self._loaded:
            lesson, missing = self.examined(entry)
            if missing:
                raise CourseError("\n".join(missing))
            self._loaded[entry.name] = lesson
        return self._loaded[entry.name]

    def require(self, names: Iterable[str]) -> None:
        """Load lessons. Raises `CourseError` with what is wrong in any of them."""
        wrong = []
        for name in names:
            try:
                self.lesson(name)
            except CourseError as error:
                wrong.append(str(error))
        if wrong:
            raise CourseError("\n".join(wrong))

    def given(self) -> dict[str, str]:
        """What units hand out beside their lessons, as sources by `u07_convolution.given`: files may import it."""
        paths = sorted(self.source.glob(f"solutions/u[0-9]*_*/{GIVEN}.py"))
        return {f"{path.parent.name}.{GIVEN}": path.read_text(encoding="utf-8") for path in paths}

    def run_file(self, path: Path) -> ModuleType:
        """Run a python file of this course and return its module. Raises `CourseError` with what it raised."""
        digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
        name = f"{COURSE_MODULE}{digest}_{path.stem}"
        module_spec = importlib.util.spec_from_file_location(name, path)
        if module_spec is None or module_spec.loader is None:
            raise CourseError(f"{path.relative_to(self.source)} is not a python file.")
        module = importlib.util.module_from_spec(module_spec)
        with importable(self.source):
            # dataclasses and inspect look a class's module up by its name
            sys.modules[name] = module
            try:
                module_spec.loader.exec_module(module)
            except Exception as error:
                del sys.modules[name]
                raise _unusable(error, path, path.relative_to(self.source)) from error
        return module

    def examined(self, entry: LessonEntry) -> tuple[CourseLesson, list[str]]:
        """A lesson, and what authors are asked for and it does not have. Raises `CourseError` where nothing can be made of it."""
        spec, where = getattr(self.run_file(entry.solution), "LESSON", None), str(entry.solution.relative_to(self.source))
        if not isinstance(spec, Lesson):
            raise CourseError(f"{where}: expected LESSON to be a Lesson, found {type(spec).__name__}.")
        path = variants_file(entry.solution)
        module = self.run_file(path) if path.exists() else None
        text, beside = (file.read_text(encoding="utf-8") if file.exists() else "" for file in (entry.solution, path))
        others = Others(Places.of(beside, path.relative_to(self.source)), listed(module, "VARIANTS"), listed(module, "WRONG"))
        if missing := undefined(spec, Places.of(text, Path(where))):
            raise CourseError("\n".join(missing))
        spec = completed(spec, others, text, where)
        if stated_vocabulary(self.source) is not None:
            missing = demands(spec, text, Path(where), others.places.file)
        return CourseLesson(spec, entry.unit, entry.solution, entry.stub), missing


def _unusable(error: Exception, path: Path, shown: Path) -> CourseError:
    """What a file of the course raised, as a sentence with its line; an error of this library's own keeps its type."""
    raised = [each.__traceback__ for each in (error, error.__cause__) if each is not None]
    own = [frame.lineno for each in raised for frame in traceback.extract_tb(each) if frame.filename == str(path)]
    where = f"{shown}:{own[-1] if own else getattr(error, 'lineno', None) or 1}"
    if isinstance(error, CourseError):  # what the author wrote cannot be used: say where it stands
        return type(error)(f"{where}: {error}")
    if isinstance(error, AttributeError) and error.obj is Cause:
        try:
            Cause.named(str(error.name).lower())
        except CourseError as unknown:
            return type(unknown)(f"{where}: {unknown}")
    if isinstance(error, NameError) and error.name == PLACEHOLDER:
        return CourseError(f"{where}: still to be written. What else is: autograd-check test-lesson {path.stem}")
    if isinstance(error, NameError) and error.name in words.__all__:
        return CourseError(f"{where}: {error.name} is not imported: add it to from autograd_check.course import ...")
    if isinstance(error, SyntaxError):
        return CourseError(f"{where}: not valid Python: {bare(error)}.")
    lacking = _LACKING.search(str(error)) if isinstance(error, TypeError) else None
    if lacking is not None:
        return CourseError(f"{where}: {lacking[1]}(...) lacks {lacking[2]}: add {lacking[2]}=...")
    odd = _UNKNOWN.search(str(error)) if isinstance(error, TypeError) else None
    if odd is not None and odd[1] in words.__all__:
        taken = inspect.signature(getattr(words, odd[1])).parameters
        return CourseError(f"{where}: {odd[1]}(...) takes no {odd[2]}; {did_you_mean(odd[2], list(taken))}")
    return CourseError(f"{where}: {shown.name} could not be run: {type(error).__name__}: {error}")


_LACKING = re.compile(r"(\w+)(?:\.__init__)?\(\) missing \d+ required (?:keyword-only|positional) arguments?: '(\w+)'")
_UNKNOWN = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")


@contextmanager
def importable(root: Path) -> Iterator[None]:
    """The course folder in front of `sys.path`, with the course packages not yet imported."""
    kept = {name: sys.modules.pop(name) for name in _course_modules()}
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in _course_modules():
            del sys.modules[name]
        sys.modules.update(kept)


def _course_modules() -> list[str]:
    """The modules of course packages that are imported, among the thousands that torch brings."""
    return [name for name in list(sys.modules) if name.startswith(COURSE_PACKAGES) and name.split(".")[0] in COURSE_PACKAGES]
