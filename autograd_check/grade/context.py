"""What a check of a task may know: the code under test, the seed, and the lesson's known mistakes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from autograd_check.diagnose.clues import clue
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.explain import Mutants, explain, no_mutants
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.requests import Candidate
from autograd_check.run.operations import uses_single
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.memo import Memo
from autograd_check.verify.trial import PairNames, UsesSingle


@dataclass(frozen=True)
class Context:
    """Everything besides the task itself. `fingerprints` are made only when something is wrong, so they are lazy.

    `forbids` are the names of operations that are the lesson's own answer, `shared` is what other files graded as this lesson
    with this seed have computed already. `left_out` are known mistakes that are not to be recognised by their numbers,
    `mutants` the edits of the definition. Without `explains` no cause is looked for, which takes longer than the verdict.
    """

    candidate: Candidate
    seed: int
    fingerprints: Sequence[Fingerprint] = ()
    forbids: tuple[str, ...] = ()
    memo: Memo = field(default_factory=Memo)
    left_out: Collection[str] = ()
    mutants: Mutants = no_mutants
    explains: bool = True

    def explain(self, evidence: Sequence[Evidence], points: Mapping[str, Point] | None = None) -> Diagnosis | None:
        """The cause of one wrong gradient; `points` are those of all probes: what sets the failing ones apart is said as well."""
        found = explain(evidence, self.known(self.fingerprints), self.mutants) if self.explains else None
        if found is None or not points:
            return found
        failing = {piece.probe for piece in evidence}
        sides = ([point for name, point in points.items() if (name in failing) is fails] for fails in (True, False))
        apart = clue(*sides)
        return replace(found, says=f"{found.says} {apart}", evidence={**found.evidence, "only": apart}) if apart else found

    def known(self, fingerprints: Sequence[Fingerprint]) -> Sequence[Fingerprint]:
        """Some fingerprints without those that are left out."""
        return [known for known in fingerprints if known.name not in self.left_out] if self.left_out else fingerprints

    def uses_single(self, names: PairNames) -> UsesSingle:
        """Whether numbers of at most float32 take part in one forward and backward of a pair."""
        return partial(uses_single, self.candidate, names.forward, names.backward)
