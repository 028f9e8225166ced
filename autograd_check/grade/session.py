"""Grading in a course: which file belongs to a lesson, what it imports from earlier lessons, one record for each file.

A file that imports earlier lessons gets the student's own functions where that lesson passes, else the reference's; the
record names those that were borrowed, so one wrong layer never fails everything above it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograd_check.course.files import digest, read_text
from autograd_check.course.imported import imported_given, imported_names
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.stand_ins import stand_ins
from autograd_check.errors import CourseError, SubmissionError
from autograd_check.grade.grade import grade_lesson, open_candidate
from autograd_check.grade.pictures import Picture, pictures
from autograd_check.grade.record import LessonRecord, failed_checker, failed_lesson
from autograd_check.grade.shrink import shrink
from autograd_check.grade.submission import read_submission, unreadable
from autograd_check.grade.targets import find_file
from autograd_check.run.debugger import without_debugger
from autograd_check.run.lending import Functions, Lender
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Status
from autograd_check.verify.memo import Memo

Beside = Callable[[str], str | None]
"""The student's own text of an earlier lesson where it passes; None where it is not there or does not."""


@dataclass(frozen=True)
class Imported:
    """What a file imports from earlier lessons: sources by name, the earliest first; names of those that are borrowed.

    Without references there is no source to borrow; then the `lender` answers for what the lesson's functions give.
    """

    sources: Mapping[str, str]
    borrowed: tuple[str, ...]
    lender: Lender


@dataclass(frozen=True)
class Session:
    """Grades files of one course; `zygote` None runs the code in this process. Earlier lessons are graded once a version.

    With `times` the record of what passes says how fast it is beside torch.
    """

    course: Course
    zygote: Zygote | None = None
    seed: int = 0
    times: bool = False
    _known: dict[tuple[Path, str], LessonRecord] = field(default_factory=dict, compare=False, repr=False)
    _shared: dict[tuple[str, int], Memo] = field(default_factory=dict, compare=False, repr=False)
    _references: dict[tuple[str, int], LessonRecord] = field(default_factory=dict, compare=False, repr=False)

    def grade_file(self, name: str, path: Path, shown: str | None = None) -> LessonRecord:
        """Grade one file as lesson `name`; whatever the file is, the answer is a record. `shown` is its name on screen.

        Raises `CourseError` if there is no such lesson.
        """
        lesson = self.course.lesson(name)
        shown = shown or str(path)
        if path == lesson.stub and not path.exists():
            gone = unreadable(f"{shown} does not exist: its stub comes with autograd-check reset {lesson.spec.name}")
            return LessonRecord(name, shown, (gone,), lesson.spec.points, "not run")
        submission = read_submission(path, lesson.functions())
        if submission.source is None:
            found = () if submission.problem is None else (submission.problem,)
            return LessonRecord(name, shown, found, lesson.spec.points, "not run")
        return self.grade_source(name, submission.source, shown, self._beside(path))

    def grade_source(self, name: str, source: str, shown: str, beside: Beside, seed: int | None = None) -> LessonRecord:
        """Grade a text as lesson `name`; `seed` is this lesson's own, where it has one. Raises `CourseError`."""
        lesson, seed = self.course.lesson(name), self.seed if seed is None else seed
        try:
            record = self._grade(lesson, source, shown, beside, seed)
            return self._fault_of_lesson(lesson, record, seed) or record
        except CourseError as error:  # an answer that its stub would hand out
            return failed_lesson(lesson.spec.name, shown, lesson.spec.points, str(error).rstrip("."))
        except Exception as error:  # a fault of the checker is one record too, and never stops the others
            said = f"{type(error).__name__}: {error}"
            return failed_checker(lesson.spec.name, shown, lesson.spec.points, said, place_in(lesson, error))

    def with_smallest(self, record: LessonRecord, path: Path) -> LessonRecord:
        """The record of a file that failed with the smallest input that shows it, where one does."""
        lesson = self.course.lesson(record.lesson)
        source = read_submission(path, lesson.functions()).source
        stops = (
            source is not None and self.zygote is None and without_debugger(source) != source
        )  # nobody wants to stop there at every call
        if source is None or stops or record.status is not Status.FAILED or record.isolation == "not run":
            return record
        imported = self._imported(lesson, source, self._beside(path))
        with open_candidate(source, record.file, self.zygote, imported.sources, imported.lender) as candidate:
            found = shrink(candidate, lesson.spec, seed=self.seed)
        return record if found is None else replace(record, smallest=replace(found, file=path))

    def picture_file(self, name: str, path: Path, probe: str | None = None) -> list[Picture]:
        """The gradients that one file gives as lesson `name`, beside the right ones.

        Raises `CourseError` if there is no such lesson, `SubmissionError` where the file gives nothing to draw.
        """
        lesson = self.course.lesson(name)
        submission = read_submission(path, lesson.functions())
        if submission.source is None:
            said = submission.problem.message if submission.problem is not None else f"{path} is not there"
            raise SubmissionError(f"There is nothing to draw: {said}.")
        imported = self._imported(lesson, submission.source, self._beside(path))
        with open_candidate(submission.source, str(path), self.zygote, imported.sources, imported.lender) as candidate:
            return pictures(candidate, lesson.spec, seed=self.seed, probe=probe)

    def _imported(self, lesson: CourseLesson, source: str, beside: Beside) -> Imported:
        """The earlier lessons that a file imports, and those that these import; what units hand out comes before them."""
        order = [entry.name for entry in self.course.outline.lessons]
        allowed = order[: order.index(lesson.spec.name)]
        found: dict[str, str] = {}
        borrowed: set[str] = set()
        lent: dict[str, Functions] = {}
        units = imported_given(source, lesson.unit)
        waiting = [source]
        while waiting:
            for earlier in sorted(imported_names(waiting.pop()).intersection(allowed) - found.keys(), key=order.index):
                own = beside(earlier)
                if own is None:
                    borrowed.add(earlier)
                    own = self._reference(earlier, lent)
                found[earlier] = own
                units |= imported_given(own, self.course.outline.lesson(earlier).unit)
                waiting.append(own)
        handed = {name: text for name, text in self.course.given().items() if name.split(".")[0] in units} if units else {}
        lessons = {name: found[name] for name in sorted(found.keys() - lent.keys(), key=order.index)}
        return Imported({**handed, **lessons}, tuple(sorted(borrowed, key=order.index)), Lender(lent))

    def _reference(self, name: str, lent: dict[str, Functions]) -> str:
        """The source of a lesson's reference; "" where there is none, and then its functions are `lent`."""
        lesson = self.course.lesson(name)
        if not lesson.released:
            return lesson.reference_source()
        lent[name] = stand_ins(lesson.spec)
        return ""

    def _beside(self, path: Path) -> Beside:
        """What lies in the folder of a file, or in the folders of other units beside it."""

        def own(earlier: str) -> str | None:
            file = find_file(path.parent, self.course.lesson(earlier))
            if file is None or file.resolve() == path.resolve() or not self._passes(earlier, file):
                return None
            return read_submission(file).source

        return own

    def _grade(self, lesson: CourseLesson, source: str, shown: str, beside: Beside, seed: int) -> LessonRecord:
        if self.zygote is not None:
            self.zygote.prepare()  # it forks while the text is looked at
        imported = self._imported(lesson, source, beside)
        return grade_lesson(
            lesson,
            source,
            shown,
            zygote=self.zygote,
            dependencies=imported.sources,
            borrowed=imported.borrowed,
            lender=imported.lender,
            seed=seed,
            times=self.times,
            memo=self._shared.setdefault((lesson.spec.name, seed), Memo()),
        )

    def _fault_of_lesson(self, lesson: CourseLesson, record: LessonRecord, seed: int) -> LessonRecord | None:
        """What is said instead where a file fails something that the lesson's own reference fails too; None where it does not."""
        if record.status is not Status.FAILED or lesson.released:
            return None
        if (lesson.spec.name, seed) not in self._references:
            once = replace(self, times=False)
            own = once._grade(lesson, lesson.reference_source(), record.file, lambda _: None, seed)
            self._references[lesson.spec.name, seed] = own
        wrong = {(f.check, f.subject) for f in record.findings if f.status is Status.FAILED}
        for finding in self._references[lesson.spec.name, seed].findings:
            if finding.status is Status.FAILED and (finding.check, finding.subject) in wrong:
                place = lesson.places.at(lesson.places.keyword("oracle", task=lesson.spec.task_of(finding.subject)))
                says = f"its own reference fails too, {place}: {finding.subject}: {finding.message} (probe: {finding.probe})"
                return failed_lesson(lesson.spec.name, record.file, lesson.spec.points, says)
        return None

    def _passes(self, name: str, path: Path) -> bool:
        if path.resolve() == self.course.lesson(name).solution:
            return True
        version = (path, digest(read_text(path)))  # a session may outlive an edit
        if version not in self._known:
            self._known[version] = replace(self, times=False).grade_file(name, path)
        return self._known[version].status is Status.PASSED


def place_in(lesson: CourseLesson, error: Exception) -> str:
    """Where in its own files a lesson raised: then its author is to be told and not the checker's; empty where it did not."""
    files = {str(path): path.relative_to(lesson.source) for path in (lesson.solution, lesson.variants)}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"{files[frames[-1].filename]}:{frames[-1].lineno}" if frames else ""
