"""pytest grades a student's folder: `pytest lessons` has one item for each value and gradient, such as `linear::dw`.

Authors of a library have the fixture `gradcheck` and the marker of that name (docs/gradcheck.md).

A file of `lessons/` that belongs to a course is collected here, and never as ordinary tests. Nothing is imported and nothing is
slowed down where there is no course. The student's code runs in pytest's own process, so `breakpoint()` stops in it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from autograd_check.course.spec import Lesson
    from autograd_check.grade.record import LessonRecord
    from autograd_check.grade.session import Session
    from autograd_check.verify.finding import Finding


CONVENTIONS = "conventions"


class NotPassed(Exception):
    """A check did not pass; the text is what the terminal report says."""


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", "gradcheck(**asked): what the `gradcheck` fixture asks for in this test, such as check_forward_ad=True"
    )


@pytest.fixture
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`gradcheck(func, inputs, **asked)` as `autograd_check.gradcheck`; where it does not pass, its report is the test's failure.

    Arguments of the markers `@pytest.mark.gradcheck(...)` hold for every call in the test, unless the call says otherwise.
    """
    from autograd_check.api import gradcheck as check  # torch is imported only where a test asks for it

    marked = {
        name: value for marker in reversed(list(request.node.iter_markers("gradcheck"))) for name, value in marker.kwargs.items()
    }

    def checked(func: Callable[..., Any], inputs: Any, **asked: Any) -> Any:
        report = check(func, inputs, **{**marked, **asked, "raise_exception": False})
        if not report:
            pytest.fail(report.to_text(), pytrace=False)
        return report

    return checked


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> LessonFile | None:
    """Collect `COURSE/lessons/uNN_UNIT/NAME.py` as a lesson."""
    root = course_of(file_path)
    return None if root is None else LessonFile.from_parent(parent, path=file_path, root=root)


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Iterator[None]:
    """A lesson is not a module of tests as well, even where its name or the command line makes it look like one."""
    module = yield
    return None if course_of(module_path) is not None else module


def course_of(path: Path) -> Path | None:
    """The course folder in whose `lessons/` a lesson's file lies, or None. Looks at the path, then at one or two other files.

    What a unit hands out beside its lessons is none.
    """
    unit = path.parent
    if path.suffix != ".py" or unit.parent.name != "lessons":
        return None
    from autograd_check.course.imported import GIVEN
    from autograd_check.course.own import TITLE_FILE, source_of
    from autograd_check.errors import CourseError

    if path.stem == GIVEN:
        return None
    root = source = unit.parent.parent
    if (root / TITLE_FILE).is_file():
        try:
            source = source_of(root)
        except CourseError as error:
            raise pytest.Collector.CollectError(str(error)) from None
    return root if (source / "solutions" / unit.name / path.name).is_file() else None


class LessonFile(pytest.File):
    """A student's file of one lesson."""

    def __init__(self, *, root: Path, **named: Any) -> None:
        """Remember the course folder."""
        super().__init__(**named)
        self.root = root

    def collect(self) -> Iterable[pytest.Collector]:
        """The lesson, so that its items are called `FILE::linear::dw`."""
        yield LessonNode.from_parent(self, name=self.path.stem, root=self.root)


class LessonNode(pytest.Collector):
    """One lesson; graded once, when the first of its items runs."""

    def __init__(self, *, root: Path, **named: Any) -> None:
        """Remember the course folder."""
        super().__init__(**named)
        self.root = root

    def collect(self) -> Iterable[pytest.Item]:
        """One item for each value and gradient, and one for the conventions."""
        for name in item_names(self.session_of_course().course.lesson(self.name).spec):
            yield LessonItem.from_parent(self, name=name)

    def session_of_course(self) -> Session:
        """The grading of this course, shared by its lessons."""
        # torch is imported only where there is a lesson to grade
        from autograd_check.course.load import Course
        from autograd_check.grade.session import Session

        sessions = self.config.stash.setdefault(_SESSIONS, {})
        if self.root not in sessions:
            sessions[self.root] = Session(Course.load(self.root))
        return sessions[self.root]

    @cached_property
    def record(self) -> LessonRecord:
        """What was found, and what the code printed: to stdout, so that pytest shows it as it shows any test's."""
        # a warning of the student's code is no failure, whatever this project makes of warnings
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            record = self.session_of_course().grade_file(self.name, self.path)
        print("\n".join([*record.printed.splitlines(), *record.notes]), end="\n" if record.printed or record.notes else "")
        return record

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """What was found, by item name."""
        return sorted_in(self.record.findings, item_names(self.session_of_course().course.lesson(self.name).spec))


_SESSIONS: pytest.StashKey[dict[Path, Session]] = pytest.StashKey()


def item_names(lesson: Lesson) -> list[str]:
    """The items of a lesson: `out` (a function's name where there are several), `dw`, ..., and `conventions`."""
    from autograd_check.course.spec import Layer, Properties, Stateful, Stochastic

    names: list[str] = []
    for task in lesson.tasks:
        out = task.functions[0] if len(lesson.tasks) > 1 else "out"
        if isinstance(task, Properties):
            names += [out if claim.subject == "out" else claim.subject for claim in task.properties if not claim.convention]
        else:
            names.append(out)
        if isinstance(task, (Layer, Stateful, Stochastic)):
            names += [f"d{primal}" for primal in task.wrt]
    return [*dict.fromkeys(names), CONVENTIONS]


def sorted_in(findings: Iterable[Finding], names: list[str]) -> dict[str, list[Finding]]:
    """Findings by item name; one about anything else (a file that cannot be read) belongs to the first item."""
    from autograd_check.verify.finding import Kind, root_subject

    groups: dict[str, list[Finding]] = {name: [] for name in names}
    for finding in findings:
        if finding.kind is Kind.REACH:  # costs points, and makes nothing wrong
            continue
        name = CONVENTIONS if finding.kind is Kind.CONVENTION else root_subject(finding.subject)
        groups[name if name in groups else names[0]].append(finding)
    return groups


class LessonItem(pytest.Item):
    """What was found about one subject of a lesson."""

    parent: LessonNode

    def runtest(self) -> None:
        """Pass, skip what is not written yet or depends on what failed, or fail with the words of the terminal report."""
        from autograd_check.verify.finding import Status

        first = "record" not in vars(self.parent)
        everything = self.parent.findings
        if not first and self.parent.record.printed:  # the first item has printed it
            self.add_report_section("call", "stdout", self.parent.record.printed)
        mine = everything[self.name] or [finding for found in everything.values() for finding in found]
        told = max(mine, key=lambda finding: finding.status.severity)
        if told.status is Status.PASSED:
            return
        if told.status in (Status.TODO, Status.SKIPPED) or not everything[self.name]:
            pytest.skip(f"{told.status}: {told.message}")
        raise NotPassed("\n".join(words(finding) for finding in mine if finding.status is told.status))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The words alone: the grader's own traceback would only hide them."""
        return str(excinfo.value) if isinstance(excinfo.value, NotPassed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where and what: the student's file."""
        return self.path, 0, f"{self.parent.name}::{self.name}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A lesson that is skipped is skipped in the student's file, not in this one."""
    report = yield
    if isinstance(item, LessonItem) and report.skipped and isinstance(report.longrepr, tuple):
        report.longrepr = (str(item.path), 1, report.longrepr[2])
    return report


def words(finding: Finding) -> str:
    """The words of the terminal report for one finding that did not pass."""
    from autograd_check.report.rows import row_of

    row = row_of(finding)
    return "\n".join([f"{row.status} {row.label}", *row.paragraphs])
