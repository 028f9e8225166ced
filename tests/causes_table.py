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
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is there

from autograd_check.course.spec import Mistake
from autograd_check.grade.rehearsal import By, Grader
from autograd_check.verify.finding import Status
from tests import support

ENOUGH = 0.75
"""The share of all mistakes whose causes are to be found without any fingerprint."""


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
