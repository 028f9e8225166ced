"""How the cause of every mistake of the course is found when its own fingerprint is left out.

    python tests/causes_table.py                  the table: a line for each lesson, and the totals
    python tests/causes_table.py linear softmax   these lessons only
    python tests/causes_table.py --list           and each mistake that no relation names

A cause is found by what a call did (contract), by a relation between arrays, by a mutant of the definition, by the fingerprint
of another mistake, or by the mistake's own fingerprint only. Fingerprints of the same error under another name are left out too.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is there

from autograd_check.course.load import CourseLesson
from autograd_check.course.mistakes import mistake_functions
from autograd_check.course.spec import Mistake
from autograd_check.grade.grade import grade_candidate
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Source, Status
from autograd_check.verify.memo import Memo
from tests import support

ENOUGH = 0.75
"""The share of all mistakes whose causes are to be found without any fingerprint."""


class By(StrEnum):
    """What found the declared cause of a mistake."""

    RELATION = "relation"
    CONTRACT = "contract"
    MUTANT = "mutant"
    OTHER = "other"
    OWN = "own only"
    NOT_FOUND = "not found"


@dataclass
class Grader:
    """One lesson with one seed: what is computed for one mistake serves the others."""

    lesson: CourseLesson
    seed: int = 0
    _memo: Memo = field(default_factory=Memo)
    _alone: dict[str, list[Finding]] = field(default_factory=dict)

    def without(self, known: Mistake, left_out: Sequence[str]) -> list[Finding]:
        """The findings about a mistake where the fingerprints of some are left out."""
        lesson = self.lesson
        functions = mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))
        with InProcess.of(functions) as candidate:
            return grade_candidate(lesson, candidate, seed=self.seed, memo=self._memo, left_out=left_out)

    def alone(self, known: Mistake) -> list[Finding]:
        """The findings about a mistake where no fingerprint is known."""
        if known.name not in self._alone:
            self._alone[known.name] = self.without(known, [every.name for every in self.lesson.spec.mistakes])
        return self._alone[known.name]

    def same_error(self, known: Mistake) -> list[str]:
        """The mistake and those that are the same under another name: the same edit, or the same numbers everywhere."""
        mistakes = self.lesson.spec.mistakes
        same = [other for other in mistakes if other.edit is not None and other.edit == known.edit]
        numbers = said(self.alone(known))
        suspects = [other for other in mistakes if other.cause == known.cause]
        same += [other for other in suspects if numbers and said(self.alone(other)) == numbers]
        return list(dict.fromkeys([known.name, *(other.name for other in same)]))

    def found(self, known: Mistake) -> By:
        """What finds the cause of a mistake, the most general first."""
        source = found_by(self.alone(known), known)
        if source is not None:
            return By(source)
        if found_by(self.without(known, self.same_error(known)), known) is not None:
            return By.OTHER
        return By.OWN if found_by(self.without(known, []), known) is not None else By.NOT_FOUND


def said(findings: Sequence[Finding]) -> list[tuple[Any, ...]]:
    """The wrong numbers of some findings: two mistakes with the same ones are one."""
    return [(f.check, f.subject, f.probe, f.message) for f in findings if f.status is Status.FAILED]


def found_by(findings: Sequence[Finding], known: Mistake) -> Source | None:
    """How the declared cause of a mistake was found; None where it was not."""
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    sources = [f.diagnosis.source for f in failed if f.diagnosis is not None and f.diagnosis.cause == known.cause]
    return sources[0] if sources else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help="these lessons only")
    parser.add_argument("--list", action="store_true", help="each mistake that needs a fingerprint")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    columns = list(By)
    print(f"{'lesson':<20}{'mistakes':>9}" + "".join(f"{column:>10}" for column in columns))
    total: Counter[By] = Counter()
    for name in asked.lessons or support.names():
        grader = Grader(support.lesson(name))
        found = [(known, grader.found(known)) for known in grader.lesson.spec.mistakes]
        counts = Counter(by for _, by in found)
        total += counts
        print(f"{name:<20}{len(found):>9}" + "".join(f"{counts[column] or '':>10}" for column in columns), flush=True)
        if asked.list:
            print_list(grader, found)
    every = total.total()
    print(f"{'all':<20}{every:>9}" + "".join(f"{total[column]:>10}" for column in columns))
    general = total[By.RELATION] + total[By.CONTRACT]
    print(f"{general} of {every} ({general / every:.1%}) without any fingerprint; at least {ENOUGH:.0%} are asked for.")
    return 0 if general >= ENOUGH * every and not total[By.NOT_FOUND] else 1


def print_list(grader: Grader, found: Sequence[tuple[Mistake, By]]) -> None:
    for known, by in found:
        if by not in (By.RELATION, By.CONTRACT):
            causes = sorted({str(f.diagnosis.cause) for f in grader.alone(known) if f.diagnosis and f.status is Status.FAILED})
            print(f"    {by:<10} {known.cause:<18} {known.name} (alone: {', '.join(causes) or 'none'})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
