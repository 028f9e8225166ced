"""Records the verdict of everything there is, and tells where it differs from an earlier record.

    python tests/record.py OUT.json.gz                         write a record
    python tests/record.py --against tests/record.json.gz      grade everything again and compare; 1 if anything differs
    python tests/record.py NEW.json.gz --against OLD.json.gz   compare two records

A record holds, by name, every solution, stub, variant, mistake and hunt of the course, every family of right functions and
every attack. Code that is moved must not change it; what is meant to change it is justified where it is changed. Nothing is
judged here: a record says what the verdict is, the tests say what it must be.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is there

from autograd_check import gradcheck
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.mistakes import functions_of, mistake_functions
from autograd_check.grade.grade import grade_candidate, grade_lesson
from autograd_check.grade.record import LessonRecord
from autograd_check.run.in_process import InProcess
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Finding, Status
from tests.attacks.test_attacks import DOUT, IDLE, PATCHES, WRECKS, ZEROS, point
from tests.verify import families

ROOT = Path(__file__).resolve().parents[1]
SEEDS = range(3)
"""Of each family of functions; everything else is graded with seed 0."""

PATIENCE = 10.0
"""Seconds by the clock for attacks that wait and use no processor time."""

Verdict = dict[str, Any]
Entry = tuple[str, Callable[[], Verdict]]


def verdict(findings: tuple[Finding, ...], status: Status, **more: Any) -> Verdict:
    """What is kept of a report: passed findings are only counted, by subject."""
    passed = Counter(finding.subject for finding in findings if finding.status is Status.PASSED)
    others = [finding for finding in findings if finding.status is not Status.PASSED]
    return {
        "status": str(status),
        "passed": dict(passed),
        "findings": [
            [f.check, f.subject, f.probe, str(f.kind), str(f.status), f.diagnosis.cause if f.diagnosis else ""] for f in others
        ],
        "messages": [finding.message.replace(f"{ROOT}/", "") for finding in others],
        **more,
    }


def of_lesson(record: LessonRecord) -> Verdict:
    return verdict(record.findings, record.status, score=record.score, max_score=record.max_score)


@cache
def course() -> Course:
    return Course.load(ROOT)


def graded_source(lesson: CourseLesson, source: str) -> Verdict:
    dependencies = course().given()
    dependencies |= {entry.name: entry.solution.read_text(encoding="utf-8") for entry in course().outline.lessons}
    return of_lesson(grade_lesson(lesson, source, f"{lesson.spec.name}.py", dependencies=dependencies))


def graded_functions(lesson: CourseLesson, make: Callable[[], Mapping[str, Callable[..., Any]]]) -> Verdict:
    with InProcess.of(make()) as candidate:
        found = tuple(grade_candidate(lesson, candidate))
    return of_lesson(LessonRecord(lesson.spec.name, "", found, lesson.spec.points))


def entries_of_lesson(name: str) -> Iterator[Entry]:
    lesson = course().lesson(name)
    spec, reference, where = lesson.spec, lesson.reference_source(), str(lesson.solution)
    yield f"solution/{name}", lambda: graded_source(lesson, reference)
    yield f"stub/{name}", lambda: graded_source(lesson, lesson.stub_source())
    if spec.given:  # one more line, or it would count as not yet begun
        yield f"hunt/{name}", lambda: graded_source(lesson, f"{lesson.stub_source()}\nBEGUN = True\n")
    for mistake in spec.mistakes:
        make = partial(mistake_functions, spec, mistake, reference, where)
        yield f"mistake/{name}/{mistake.name}", partial(graded_functions, lesson, make)
    for variant in spec.variants:
        both = partial(_replaced, lesson, variant.functions)
        yield f"variant/{name}/{variant.name}", partial(graded_functions, lesson, both)


def _replaced(lesson: CourseLesson, functions: Mapping[str, Callable[..., Any]]) -> Mapping[str, Callable[..., Any]]:
    return {**functions_of(lesson.reference_source(), str(lesson.solution), lesson.spec.functions), **functions}


def entries_of_family(name: str) -> Iterator[Entry]:
    for seed in SEEDS:
        yield f"family/{name}/{seed}", partial(_gradchecked, name, seed)


def _gradchecked(name: str, seed: int) -> Verdict:
    fn, inputs = families.draw(name, seed)
    report = gradcheck(fn, inputs, raise_exception=False, seed=seed)
    return verdict(report.findings, report.status)


def entries_of_patch(name: str) -> Iterator[Entry]:
    yield f"attack/{name}", partial(_attacked, f"{ZEROS}\n{PATCHES[name]}\n")


def _attacked(source: str) -> Verdict:
    """Whether the gradient of zeros that every attack returns is believed."""
    right = 2 * point().primals["x"] * DOUT
    with Zygote() as zygote, zygote.candidate(source, "attack.py", deadline=10.0) as candidate:
        outcome = candidate.vjp("f_forward", "f_backward", point(), [DOUT])
    believed = outcome.ok and torch.equal(outcome.value[1][0], right)
    return {"status": "believed" if believed else "refused"}


def entries_of_wreck(name: str) -> Iterator[Entry]:
    code, causes = WRECKS[name] if name in WRECKS else (IDLE[name], {"timed_out"})
    source = f"{ZEROS}\ndef wreck():\n{textwrap.indent(code, '    ')}\n"
    yield f"attack/{name}, while loading", partial(_wrecked, f"{source}wreck()\n", causes, loading=True)
    yield f"attack/{name}, while called", partial(_wrecked, source, causes, loading=False)


def _wrecked(source: str, causes: set[str], *, loading: bool) -> Verdict:
    """The cause of the failure. Which of several allowed ones it is depends on the machine: all of them are given."""
    with Zygote() as zygote, zygote.candidate(source, "attack.py", deadline=1.0, patience=PATIENCE) as candidate:
        failure = (candidate.loaded() if loading else candidate.call("wreck", [])).failure
    cause = failure.cause if failure else "no failure"
    return {"status": " or ".join(sorted(causes)) if cause in causes else cause}


SOURCES: dict[str, Callable[[str], Iterator[Entry]]] = {
    "lesson": entries_of_lesson,
    "family": entries_of_family,
    "patch": entries_of_patch,
    "wreck": entries_of_wreck,
}

Group = tuple[str, str]


def groups() -> list[Group]:
    """Everything there is, in pieces that one process does at a time."""
    names = {
        "lesson": [entry.name for entry in course().outline.lessons],
        "family": list(families.FAMILIES),
        "patch": list(PATCHES),
        "wreck": [*WRECKS, *IDLE],
    }
    return [(source, name) for source in SOURCES for name in names[source]]


def record_group(group: Group, only: str = "") -> dict[str, Verdict]:
    """The verdicts of one piece. What raises is recorded too: it must not cost the rest."""
    torch.set_num_threads(1)
    found: dict[str, Verdict] = {}
    source, name = group
    for key, grade in SOURCES[source](name):
        if only not in key:
            continue
        torch.manual_seed(0)
        random.seed(0)
        try:
            found[key] = grade()
        except Exception as error:
            found[key] = {"status": f"raised {type(error).__name__}", "messages": [str(error)]}
    return found


def record(only: str = "", jobs: int = 2) -> dict[str, Verdict]:
    """The verdicts by name of all entries whose name contains `only`; the same whatever `jobs` is."""
    found: dict[str, Verdict] = {}
    todo = groups()
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for number, (group, verdicts) in enumerate(zip(todo, pool.map(partial(record_group, only=only), todo), strict=True)):
            found |= verdicts
            if sys.stderr.isatty():
                print(f"\r{number + 1} of {len(todo)}: {' '.join(group):<60.60}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return found


def write(record: Mapping[str, Verdict], path: Path) -> None:
    """The same record gives the same bytes."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def read(path: Path) -> dict[str, Verdict]:
    found: dict[str, Verdict] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def differences(old: Mapping[str, Verdict], new: Mapping[str, Verdict], messages: bool = False) -> list[str]:
    """One line for each entry that was added, removed or changed; messages count only if asked, since they hold numbers."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            lines.append(f"removed  {key}: was {old[key]['status']}")
        elif key not in old:
            lines.append(f"added    {key}: is {new[key]['status']}")
        elif changes := list(_changes(old[key], new[key], messages)):
            lines.append(f"changed  {key}: {'; '.join(changes)}")
    return lines


def _changes(old: Verdict, new: Verdict, messages: bool) -> Iterator[str]:
    for part in ("status", "score", "max_score"):
        if old.get(part) != new.get(part):
            yield f"{part} {old.get(part)} → {new.get(part)}"
    before, after = old.get("passed", {}), new.get("passed", {})
    for subject in sorted(before.keys() | after.keys()):
        if before.get(subject, 0) != after.get(subject, 0):
            yield f"{subject} passed {before.get(subject, 0)} → {after.get(subject, 0)}"
    was, now = (Counter(_findings(verdict, messages)) for verdict in (old, new))
    yield from (f"no longer [{finding}]" for finding in (was - now).elements())
    yield from (f"now [{finding}]" for finding in (now - was).elements())


def _findings(verdict: Verdict, messages: bool) -> list[str]:
    shown = [" / ".join(finding) for finding in verdict.get("findings", [])]
    if not messages:
        return shown
    said = verdict.get("messages", [])
    return [f"{finding}: {text}" for finding, text in zip(shown, said, strict=True)] if shown else said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", help="where the record is written; with --against, one to compare")
    parser.add_argument("--against", type=Path, help="an earlier record")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="only what has this in its name")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--messages", action="store_true", help="compare the messages as well")
    asked = parser.parse_args()
    if asked.against is None:
        if asked.file is None:
            parser.error("name a file to write, or a record to compare with (--against)")
        write(record(asked.only, asked.jobs), asked.file)
        return 0
    old = {key: verdict for key, verdict in read(asked.against).items() if asked.only in key}
    new = read(asked.file) if asked.file else record(asked.only, asked.jobs)
    lines = differences(old, {key: verdict for key, verdict in new.items() if asked.only in key}, asked.messages)
    print("\n".join(lines) if lines else f"No difference in {len(old)} entries.")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
