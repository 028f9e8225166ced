"""A lesson tried out before anybody is given it: stub, solution, mistakes, variants and order, as the author's own tests.

Whatever is wrong is a sentence that says where and what to do. Mistakes are graded as if they were unknown: their own fingerprints
are left out, so that a cause is named by what it is and not because it was foretold.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import torch
from torch import Generator

from autograd_check.causes import Cause
from autograd_check.course.about import ABOUT_FILE, VOCABULARY, stated_vocabulary
from autograd_check.course.demands import placeholders
from autograd_check.course.given_away import given_away
from autograd_check.course.imported import imported_names
from autograd_check.course.load import Course, CourseLesson, importable
from autograd_check.course.mistakes import functions_of, mistake_functions
from autograd_check.course.outline import Outline
from autograd_check.course.places import Places
from autograd_check.course.spec import Layer, Lesson, Mistake
from autograd_check.course.variants import variants_file
from autograd_check.errors import AutogradCheckError
from autograd_check.grade.grade import grade_candidate, grade_lesson
from autograd_check.grade.kinds.base import draw
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.session import place_in
from autograd_check.run.in_process import InProcess
from autograd_check.verify.finding import Finding, Kind, Source, Status
from autograd_check.verify.memo import Memo
from autograd_check.verify.reference import oracle_vjp
from autograd_check.verify.tensors import largest, leaves
from autograd_check.verify.trial import draw_cotangent

SEEDS = 3
"""With how many seeds the solution must pass."""


ALL, REST = "The solution, the mistakes and the variants", "The mistakes and the variants"
"""What is not tried yet: where a lesson cannot be loaded, and where its solution is wrong."""

NAMESPACES = (
    torch,
    torch.Tensor,
    torch.autograd,
    torch.fft,
    torch.linalg,
    torch.nn,
    torch.nn.functional,
    torch.nn.init,
    torch.nn.utils,
    torch.ops.aten,
    torch.optim,
    torch.special,
)
"""Where the names stand that a lesson may forbid."""


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

    def judged(self, known: Mistake) -> tuple[list[Finding], bool]:
        """The findings about a mistake, and whether one names its cause as it must be named.

        Where only its own fingerprint can name it the mistake says why, and it is enough that this does.
        """
        if known.by_fingerprint:
            findings = self.without(known, [])
            return findings, found_by(findings, known) is not None
        findings = self.alone(known)
        found = found_by(findings, known) or found_by(self.without(known, self.same_error(known)), known)
        return findings, found is not None

    def variant(self, functions: Mapping[str, Callable[..., Any]]) -> list[Finding]:
        """The findings about the reference with some functions written otherwise."""
        lesson = self.lesson
        reference = functions_of(lesson.reference_source(), str(lesson.solution), lesson.spec.functions)
        with InProcess.of({**reference, **functions}) as candidate:
            return grade_candidate(lesson, candidate, seed=self.seed, memo=self._memo)


def said(findings: Sequence[Finding]) -> list[tuple[Any, ...]]:
    """The wrong numbers of some findings: two mistakes with the same ones are one."""
    return [(f.check, f.subject, f.probe, f.message) for f in findings if f.status is Status.FAILED]


def found_by(findings: Sequence[Finding], known: Mistake) -> Source | None:
    """How the declared cause of a mistake was found; None where it was not."""
    failed = [finding for finding in findings if finding.status is Status.FAILED]
    sources = [f.diagnosis.source for f in failed if f.diagnosis is not None and f.diagnosis.cause == known.cause]
    return sources[0] if sources else None


@dataclass(frozen=True)
class Rehearsal:
    """What came of it: sentences about what is missing or wrong, and what was tried where nothing is."""

    lesson: str
    faults: tuple[str, ...]
    tried: tuple[str, ...] = ()
    untried: str = ""
    """What waits until the faults are gone."""


def rehearse(course: Course, name: str) -> Rehearsal:
    """Try a lesson out. What keeps it from being loaded is a fault like any other. Raises `CourseError` for an unknown name."""
    if name in course.outline.broken:
        return Rehearsal(name, (course.outline.broken[name],), untried=ALL)
    entry = course.outline.lesson(name)
    others = variants_file(entry.solution)
    files = [path for path in (entry.solution, others) if path.exists()]
    unwritten = [
        line for path in files for line in placeholders(path.read_text(encoding="utf-8"), path.relative_to(course.source))
    ]
    if unwritten:
        return Rehearsal(entry.name, tuple(unwritten), untried=ALL)
    try:
        lesson, missing = course.examined(entry)
        told = given_away(lesson.reference_source(), lesson.places.file)
    except AutogradCheckError as error:
        return Rehearsal(entry.name, tuple(str(error).splitlines()), untried=ALL)
    places = lesson.places
    faults = [*missing, *told, *_about(course), *_forbids(lesson.spec, places)]
    wrong = list(_order(course.outline, lesson, places))
    wrong = wrong or list(_solution(course, lesson, places, SEEDS)) or list(_unmakable(lesson, places))
    if wrong:  # then the rest says nothing
        return Rehearsal(entry.name, (*faults, *wrong), untried=REST)
    if not faults:
        faults += _stub(course, lesson, lesson.stub_source(), places)
    grader = Grader(lesson)
    faults += [*_mistakes(grader, places), *_variants(grader)]
    return Rehearsal(entry.name, tuple(faults), tuple(_tried(lesson)))


def wrong_solutions(course: Course) -> Iterator[tuple[str, ...]]:
    """What is wrong with the solution of each lesson, with one seed: what takes a fifth of a second of a rehearsal."""
    for lesson in course.lessons:
        yield tuple(_solution(course, lesson, lesson.places, 1))


def _about(course: Course) -> Iterator[str]:
    """A course says in which version it is written: only then is it held to what authors are asked for."""
    if stated_vocabulary(course.source) is None:
        yield f"solutions/{ABOUT_FILE}: it is not there: write one that says vocabulary = {VOCABULARY}."


def _order(outline: Outline, lesson: CourseLesson, places: Places) -> Iterator[str]:
    """A lesson imports only what it says that it requires, directly or not."""
    known, waiting = set[str](), [lesson.spec.name]
    while waiting:
        needed = set(outline.lesson(waiting.pop()).requires) - known - outline.broken.keys()
        known |= needed
        waiting += needed
    head = lesson.reference_source().partition("### BEGIN SPEC")[0]
    for name in sorted(imported_names(head) & {entry.name for entry in outline.lessons} - known):
        yield f"{places.at(places.imported(name))}: it imports {name} and does not require it: add {name!r} to requires=(...)."


def _forbids(spec: Lesson, places: Places) -> Iterator[str]:
    """What a lesson forbids, `softmax` or a dotted `torch.cdist`, is there in torch: a name that is written wrong forbids nothing."""
    known = sorted({name for space in NAMESPACES for name in dir(space)})
    for name in spec.forbids:
        last = name.rpartition(".")[2]
        if last not in known:
            near = difflib.get_close_matches(last, known, 1)
            way = f"did you mean {near[0]}?" if near else "write the name as torch has it."
            yield f"{places.at(places.keyword('forbids'))}: torch has no {name}, so forbidding it does nothing; {way}"


def _sources(course: Course) -> dict[str, str]:
    return {**course.given(), **{e.name: e.solution.read_text(encoding="utf-8") for e in course.outline.lessons}}


def _graded(course: Course, lesson: CourseLesson, source: str, seed: int = 0) -> LessonRecord:
    return grade_lesson(lesson, source, lesson.solution.name, dependencies=_sources(course), seed=seed)


def _stub(course: Course, lesson: CourseLesson, stub: str, places: Places) -> Iterator[str]:
    record = _graded(course, lesson, stub)
    if record.status is not Status.TODO:
        yield (
            f"{places.at(places.function(lesson.spec.functions[0]))}: its stub is {record.status} and not todo, with "
            f"{record.score:g} points: nothing may run in it that is to be written."
        )


def _solution(course: Course, lesson: CourseLesson, places: Places, seeds: int) -> Iterator[str]:
    for seed in range(seeds):
        try:
            record = _graded(course, lesson, lesson.reference_source(), seed)
        except Exception as error:  # a specification may raise anything; the author is told what
            if says := _raises(lesson, places):
                yield says
                return
            place = place_in(lesson, error) or places.at(places.lesson)
            yield f"{place}: the specification raised while the solution was graded: {type(error).__name__}: {error}"
            return
        if record.status is not Status.PASSED or record.score != record.max_score:
            if cut := list(_cut(lesson, places)):
                yield from cut
                return
            told: dict[tuple[int, str], list[Finding]] = {}
            for finding in _bad(record.findings):
                told.setdefault(_advice(lesson.spec, finding, places), []).append(finding)
            for (line, advice), found in told.items():
                says = "; ".join(_wrong(found))
                yield f"{places.at(line)}: the solution does not pass (seed {seed}): {says.rstrip('.')}. {advice}"
            return


def _raises(lesson: CourseLesson, places: Places) -> str:
    """The first probe of a layer at which its oracle raises, in a sentence; empty where there is none."""
    for number, task in enumerate(lesson.spec.tasks):
        if not isinstance(task, Layer):
            continue
        for probe in task.probes:
            try:
                task.oracle(*draw(probe, 0).primals.values(), **probe.hyper)
            except Exception as error:
                line = places.text(probe.name, "probes") or places.keyword("probes", "sizes", task=number)
                return (
                    f"{places.at(line)}: the oracle (line {places.keyword('oracle', task=number)}) raises at the probe {probe.name!r}: "
                    f"{type(error).__name__}: {error}. Correct the probe, or the oracle."
                )
    return ""


def _cut(lesson: CourseLesson, places: Places) -> Iterator[str]:
    """The primals for which an oracle gives nothing but zeros at every probe, as it does where no path leads back to them."""
    for number, task in enumerate(lesson.spec.tasks):
        if not isinstance(task, Layer):
            continue
        alive: set[str] = set()
        for probe in task.probes:
            point = draw(probe, 0)
            dout = draw_cotangent(task.oracle(*point.primals.values(), **point.hyper), Generator().manual_seed(0))
            grads = oracle_vjp(task.oracle, point, task.wrt, dout)[1]
            alive |= {name for name, gradient in grads.items() if any(map(largest, leaves(gradient)))}
        for name in task.wrt:
            if name not in alive:
                yield (
                    f"{places.at(places.keyword('oracle', task=number))}: the oracle's gradient of {name} is 0 at every probe: take a "
                    ".detach() out of it, or name in wrt=(...) what gets a gradient."
                )


def _advice(spec: Lesson, finding: Finding, places: Places) -> tuple[int, str]:
    """The line in which an author looks first, and what for."""
    number = spec.task_of(finding.subject)
    task = spec.tasks[number]
    forward, backward = (places.function(name) for name in (task.functions[0], task.functions[-1]))
    oracle, written = places.keyword("oracle", task=number), places.text(finding.probe, "probes")
    probe = written or places.keyword("probes", "sizes", task=number)
    if finding.check == "allowed operations" and finding.diagnosis is not None:
        name, line = str(finding.diagnosis.evidence["name"]), int(str(finding.diagnosis.evidence["line"]))
        own = next((each for each in (name, name.rpartition(".")[2]) if each in spec.forbids), "")
        way = f"take {own!r} out of forbids=(...) (line {places.keyword('forbids')})" if own else f"say allows=({name!r},)"
        return line, f"Write the reference without it, or {way}."
    if finding.check == "refuses":
        asked = written or places.call("refused", "mismatched") or probe
        return asked, f"Either this probe asks for too much or {task.functions[0]} (line {forward}) for too little."
    if finding.kind is Kind.CONVENTION and written:
        return written, f"The oracle (line {oracle}) says what is right there: change it, or the reference (line {forward})."
    if finding.subject in ("out", task.functions[0]) and finding.check in ("value", "shape"):
        return oracle, f"Reference (line {forward}) and oracle (line {oracle}) disagree about out: look at both."
    if finding.subject in ("out", task.functions[0]):
        return forward, f"Look at what {task.functions[0]} takes and returns, and at the probe that is named (line {probe})."
    wrt = f"wrt=(...) (line {places.keyword('wrt', task=number)})" if places.written("wrt", number) else ""
    if finding.check == "returned":
        return backward, f"What the backward returns and {wrt or 'the shapes'} do not go together."
    beside = f"at the oracle (line {oracle}), {wrt and f'at {wrt}, '}and at the probe that is named (line {probe})"
    return backward, f"Look at the reference, {beside}."


def _unmakable(lesson: CourseLesson, places: Places) -> Iterator[str]:
    """An edit may leave anything, text that is no python as well."""
    for known in lesson.spec.mistakes:
        try:
            with importable(lesson.source):
                mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))
        except Exception as error:
            where = places.at(_written(known.name, places))
            yield (
                f"{where}: the mistake {known.name!r} cannot be made: {type(error).__name__}: {error}. Write an edit that leaves "
                "python."
            )


def _written(mistake: str, places: Places) -> int:
    """The line in which a mistake is named."""
    return places.text(mistake, "mistakes") or places.keyword("mistakes")


def _mistakes(grader: Grader, places: Places) -> Iterator[str]:
    for known in grader.lesson.spec.mistakes:
        findings, named = grader.judged(known)
        if named:
            continue
        where, wrong = places.at(_written(known.name, places)), _wrong(findings)
        if not wrong:
            yield f"{where}: the mistake {known.name!r} passes: add a probe at which it shows, or a mistake that is one."
            continue
        causes = sorted({f.diagnosis.cause for f in findings if f.diagnosis and f.status is Status.FAILED} - {Cause.UNKNOWN})
        ways = [f"give it the cause that it has ({' or '.join(f'Cause.{cause.name}' for cause in causes)})"] if causes else []
        if not known.by_fingerprint:
            ways.append(
                "say in by_fingerprint=UNSEEN_TERM, UNSEEN_INDEX, UNSEEN_STATE or '...' why only its own numbers can tell it"
            )
        yield (
            f"{where}: the mistake {known.name!r} is not found to be {known.cause} but {' and '.join(causes) or 'nothing with a name'} "
            f"({wrong[0]}): {', or '.join([*ways, 'choose a simpler mistake'])}."
        )


def _variants(grader: Grader) -> Iterator[str]:
    lesson = grader.lesson
    for variant in lesson.spec.variants:
        wrong = _wrong(grader.variant(variant.functions))
        if wrong:
            file = lesson.variants if lesson.variants.exists() else lesson.solution
            places = Places.of(file.read_text(encoding="utf-8"), file.relative_to(lesson.source))
            where = places.at(places.text(variant.name, "variants") or places.assigned("VARIANTS"))
            yield (
                f"{where}: the variant {variant.name!r} does not pass: {wrong[0]}. It must be right, or the lesson asks for more "
                "than it says."
            )


def _bad(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.status not in (Status.PASSED, Status.SKIPPED)]


def _wrong(findings: Sequence[Finding]) -> list[str]:
    """What did not pass, in words."""
    return [f"{f.subject}: {f.message}{f' (probe: {f.probe})' if f.probe else ''}" for f in _bad(findings)]


def _tried(lesson: CourseLesson) -> Iterator[str]:
    spec = lesson.spec
    yield f"{len(spec.mistakes)} mistakes, each found with its cause; {len(spec.variants)} variants; {SEEDS} seeds"
    for task in spec.tasks:
        if isinstance(task, Layer):
            made = [name for name, why in task.automatic.items() if not why]
            yield f"{task.name}: {len(task.probes)} probes, {len(made)} of them automatic"
            yield from (f"{task.name}: not made: {name!r} ({why})" for name, why in task.automatic.items() if why)
