"""Edges: probes that judge a convention alone, and cases whose tensors are not contiguous, where a lesson may have one too."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from autograd_check.course.probe import Convention, Probe
from autograd_check.diagnose.evidence import Explained
from autograd_check.grade.context import Context
from autograd_check.verify.candidate import Point, Question
from autograd_check.verify.check import Beside, Pair, check_pair
from autograd_check.verify.contract import failure_finding, plain_number
from autograd_check.verify.finding import Finding, Kind, Status, failed, passed, root_subject, skipped
from autograd_check.verify.memo import Memo
from autograd_check.verify.tensors import is_tensor, leaves, map_tensors, non_contiguous
from autograd_check.verify.trial import Case, PairNames, Trial, UsesSingle, asked_of, is_contiguous, try_case
from autograd_check.verify.values import check_gradient, check_out


@dataclass(frozen=True)
class Edge(Case):
    """A case at which a difference is a finding about a `convention` and about nothing else."""

    convention: Convention = field(kw_only=True)


def case_of(probe: Probe, name: str, point: Point) -> Case:
    """The case of a probe: an edge where the probe judges a convention."""
    convention = probe.convention
    return Case(name, point) if convention is None else Edge(name, point, convention.tie, convention=convention)


def check_cases(
    names: PairNames,
    cases: Sequence[Case],
    context: Context,
    *,
    memo: Memo | None = None,
    later: Sequence[Question] = (),
) -> list[Finding]:
    """A pair checked on its ordinary cases, and its conventions on the edges among them; `later` is what is asked after that."""
    ordinary = [case for case in cases if not isinstance(case, Edge)]
    return check_pair(
        context.candidate,
        names,
        ordinary,
        seed=context.seed,
        explain=Explained(partial(context.explain, points={case.name: case.point for case in ordinary})),
        uses_single=context.uses_single(names),
        memo=memo,
        beside=_conventions([case for case in cases if isinstance(case, Edge)], later),
    )


def _conventions(edges: Sequence[Edge], later: Sequence[Question]) -> Beside:
    """The lesson's named conventions, each on its case; what is wrong already says nothing about one."""

    def asks(pair: Pair) -> list[Question]:
        return [asked_of(pair.names, edge, seed=_seed(pair, k), full=False, memo=pair.memo)[1] for k, edge in enumerate(edges)]

    def findings(pair: Pair, wrong: Collection[str]) -> Iterator[Finding]:
        for number, edge in enumerate(edges):
            tried = try_case(pair.candidate, pair.names, edge, seed=_seed(pair, number), full=False, memo=pair.memo)
            yield from check_convention(edge, tried, pair.names, pair.uses_single, wrong)

    return Beside(asks, findings, later)


def _seed(pair: Pair, number: int) -> int:
    return pair.seed + 7 * number


def check_convention(
    edge: Edge, trial: Trial, names: PairNames, uses_single: UsesSingle, wrong: Collection[str] = ()
) -> Iterator[Finding]:
    """A convention's probe: a difference here is a finding about that convention and about nothing else.

    Subjects in `wrong` are wrong on ordinary probes already, so they say nothing about a convention.
    """
    meaning, where, kind = edge.convention, edge.name, Kind.CONVENTION
    check = str(meaning.cause)
    for function, failure in ((names.forward, trial.forward_failure), (names.backward, trial.backward_failure)):
        if failure is not None:
            yield failure_finding(check, function, where, function, failure, kind)
            return
    outs = list(check_out(trial, names, uses_single)) if comparable(trial) else []
    grads = [f for gradient in trial.gradients.values() for f in check_gradient(gradient, trial, names, uses_single)]
    for function, subjects, findings in ((names.forward, {"out"}, outs), (names.backward, set(names.gradients), grads)):
        bad = [f for f in findings if f.status is Status.FAILED and f.kind is not kind and root_subject(f.subject) not in wrong]
        beyond = [f for f in bad if not meaning.covers(f.mismatch) or (f.check == "finite" and not meaning.overflows)]
        if subjects <= set(wrong):
            yield skipped(check, function, where, f"{', '.join(sorted(subjects))} is wrong elsewhere", kind)
        elif not bad:
            yield passed(check, function, where, "keeps the convention", kind)
        elif beyond:
            yield beyond[0]
        else:
            text = f"{bad[0].subject} differs at this edge ({bad[0].message}): {meaning.says}"
            evidence = {"subject": bad[0].subject}
            yield failed(
                check, function, where, text, kind, meaning.cause, says=meaning.says, mismatch=bad[0].mismatch, evidence=evidence
            )


def comparable(trial: Trial) -> bool:
    """Whether `out` has the form and the shapes of the definition's."""
    got, want = leaves(trial.out), leaves(trial.reference.out)
    return len(got) == len(want) and all(
        (is_tensor(g) and g.shape == w.shape) or (plain_number(g) and w.dim() == 0) for g, w in zip(got, want, strict=True)
    )


def non_contiguous_cases(cases: Sequence[Case]) -> Iterator[Case]:
    """For every combination of ranks among ordinary cases, the first case of these ranks again with tensors in other memory.

    Nothing for ranks of which some case has them already, and nothing where no tensor has another layout. A difference means
    what it means in the first of the cases that have them: an error, or a breach of that case's convention.
    """
    given = [case for case in cases if not is_contiguous(case)]
    meant = given[0] if given else cases[0]
    seen = {_ranks(case) for case in given}
    for case in (case for case in cases if not isinstance(case, Edge)):
        primals = {name: map_tensors(non_contiguous, value) for name, value in case.point.primals.items()}
        other = replace(meant, name=f"{case.name}, non-contiguous", point=replace(case.point, primals=primals))
        if _ranks(case) not in seen and not is_contiguous(other):
            seen.add(_ranks(case))
            yield other


def _ranks(case: Case) -> tuple[int, ...]:
    return tuple(leaf.dim() for leaf in leaves(dict(case.point.primals)) if is_tensor(leaf))
