"""Grading in a course: which file belongs to a lesson, what it imports from earlier lessons, one record for each file.

A file that imports earlier lessons gets the student's own functions where that lesson passes, else the reference's; the
record names those that were borrowed, so one wrong layer never fails everything above it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path

from autograd_check.causes import Cause
from autograd_check.course.files import digest, read_text
from autograd_check.course.load import COURSE_PACKAGES, Course, CourseLesson
from autograd_check.errors import SubmissionError
from autograd_check.grade.grade import grade_lesson, open_candidate
from autograd_check.grade.pictures import Picture, pictures
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.submission import Submission, read_submission
from autograd_check.grade.targets import find_file
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.memo import Memo


@dataclass(frozen=True)
class Session:
    """Grades files of one course; `zygote` None runs the code in this process. Earlier lessons are graded once a version."""

    course: Course
    zygote: Zygote | None = None
    seed: int = 0
    _known: dict[tuple[Path, str], LessonRecord] = field(default_factory=dict, compare=False, repr=False)
    _shared: dict[str, Memo] = field(default_factory=dict, compare=False, repr=False)

    def grade_file(self, name: str, path: Path, shown: str | None = None) -> LessonRecord:
        """Grade one file as lesson `name`; whatever the file is, the answer is a record. `shown` is its name on screen.

        Raises `CourseError` if there is no such lesson.
        """
        lesson = self.course.lesson(name)
        submission = read_submission(path)
        shown = shown or str(path)
        if submission.source is None:
            found = () if submission.problem is None else (submission.problem,)
            return LessonRecord(name, shown, found, lesson.spec.points, "not run")
        try:
            return self._grade(lesson, submission, submission.source, shown)
        except Exception as error:  # a fault of the checker is one record too, and never stops the others
            text = f"the checker itself failed on this file ({type(error).__name__}: {error}); please report it"
            finding = Finding("checker", "out", "", Status.ERROR, text, Kind.VALUE, None, Diagnosis(Cause.CRASHED, text))
            return LessonRecord(name, shown, (finding,), lesson.spec.points)

    def picture_file(self, name: str, path: Path, probe: str | None = None) -> list[Picture]:
        """The gradients that one file gives as lesson `name`, beside the right ones.

        Raises `CourseError` if there is no such lesson, `SubmissionError` where the file gives nothing to draw.
        """
        lesson, submission = self.course.lesson(name), read_submission(path)
        if submission.source is None:
            said = submission.problem.message if submission.problem is not None else f"{path} is not there"
            raise SubmissionError(f"There is nothing to draw: {said}.")
        dependencies, _ = self._dependencies(lesson, submission, submission.source)
        with open_candidate(submission.source, str(path), self.zygote, dependencies) as candidate:
            return pictures(candidate, lesson.spec, seed=self.seed, probe=probe)

    def _dependencies(self, lesson: CourseLesson, submission: Submission, source: str) -> tuple[dict[str, str], list[str]]:
        """Sources of the earlier lessons that a file imports, and that those import, the earliest first.

        Then the names of those that are the reference's.
        """
        order = [entry.name for entry in self.course.outline.lessons]
        allowed = order[: order.index(lesson.spec.name)]
        found: dict[str, str] = {}
        borrowed: set[str] = set()
        waiting = [source]
        while waiting:
            for earlier in sorted(imported_names(waiting.pop()).intersection(allowed) - found.keys(), key=order.index):
                own = find_file(submission.path.parent, self.course.lesson(earlier))
                theirs = None
                if own is not None and own.resolve() != submission.path.resolve() and self._passes(earlier, own):
                    theirs = read_submission(own).source
                if theirs is None:
                    borrowed.add(earlier)
                found[earlier] = self.course.lesson(earlier).reference_source() if theirs is None else theirs
                waiting.append(found[earlier])
        return {name: found[name] for name in sorted(found, key=order.index)}, sorted(borrowed, key=order.index)

    def _grade(self, lesson: CourseLesson, submission: Submission, source: str, shown: str) -> LessonRecord:
        dependencies, borrowed = self._dependencies(lesson, submission, source)
        return grade_lesson(
            lesson,
            source,
            shown,
            zygote=self.zygote,
            dependencies=dependencies,
            borrowed=tuple(borrowed),
            seed=self.seed,
            memo=self._shared.setdefault(lesson.spec.name, Memo()),
        )

    def _passes(self, name: str, path: Path) -> bool:
        if path.resolve() == self.course.lesson(name).solution:
            return True
        version = (path, digest(read_text(path)))  # a session may outlive an edit
        if version not in self._known:
            self._known[version] = self.grade_file(name, path)
        return self._known[version].status is Status.PASSED


def imported_names(source: str) -> set[str]:
    """Names that a file may import lessons by: from a course folder, from beside itself, or as a plain module."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name.split(".") for alias in node.names]
            names |= {parts[-1] for parts in modules if len(parts) == 1 or parts[0] in COURSE_PACKAGES}
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            of_course = bool(node.level) or parts[0] in COURSE_PACKAGES
            if of_course:
                names |= {alias.name for alias in node.names}
            if of_course or len(parts) == 1:
                names.add(parts[-1])
    return names
