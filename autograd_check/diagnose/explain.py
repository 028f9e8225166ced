"""From evidence to a diagnosis: relations from the simplest, known mistakes, mutants, and then what can be said at least."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.factors import one_factor_per_slice
from autograd_check.diagnose.fingerprints import Fingerprint, match_fingerprint, match_mutant
from autograd_check.diagnose.relations import RELATIONS, SIMPLE, relate
from autograd_check.diagnose.two_mistakes import two_mistakes
from autograd_check.diagnose.where import where_wrong
from autograd_check.verify.finding import Diagnosis, Source

Mutants = Callable[[bool], Iterable[Fingerprint]]
"""The mutants of a definition: of its forward (True) or of its backward (False)."""


def no_mutants(forward: bool) -> Iterable[Fingerprint]:
    """The mutants of a definition whose source is not known."""
    return ()


def explain(
    evidence: Sequence[Evidence], fingerprints: Sequence[Fingerprint] = (), mutants: Mutants = no_mutants
) -> Diagnosis | None:
    """The cause of one wrong array, given every probe on which it was wrong.

    A relation that holds on all of them comes before one that holds on most. Where a lesson's own mistake yields exactly these
    numbers its cause stands, in the words of the relation if both agree. Without evidence there is no diagnosis.
    """
    if not evidence:
        return None
    try:
        with warnings.catch_warnings():  # the definition is asked about arguments that nobody would give it
            warnings.simplefilter("ignore")
            found = _explained(evidence, fingerprints, mutants)
    except Exception as error:  # the verdict stands, whatever becomes of the search for its cause
        text = f"The search for a cause failed ({type(error).__name__}: {error}); please report it."
        return Diagnosis(Cause.UNKNOWN, text, {"error": type(error).__name__})
    # of a value these words say no more than that the forward is wrong; the sentence tells how
    vague = evidence[0].subject == "out" and not evidence[0].called and found.cause in GENERAL
    return replace(found, cause=Cause.FORWARD_WRONG) if vague else found


GENERAL = (Cause.MISSING_TERM, Cause.EXTRA_TERM, Cause.WRONG_OPERAND, Cause.CONSISTENT_WITH_WRONG_FORWARD, Cause.UNKNOWN)


def _explained(evidence: Sequence[Evidence], fingerprints: Sequence[Fingerprint], mutants: Mutants) -> Diagnosis:
    found = _on_all(evidence)
    if found is not None and found.cause == Cause.CONSISTENT_WITH_WRONG_FORWARD:
        return found
    known = match_fingerprint(evidence, fingerprints)
    if known is not None and (found is None or found.cause != known.cause or _says_little(found, evidence)):
        return known
    if found is not None and _says_little(found, evidence):
        edit = _mutant(evidence, mutants)
        return found if edit is None else replace(edit, cause=found.cause)
    return (
        found
        or _on_most(evidence)
        or _mutant(evidence, mutants)
        or two_mistakes(evidence, fingerprints, Source.FINGERPRINT)
        or two_mistakes(evidence, (edit for forward in _passes(evidence) for edit in mutants(forward)), Source.MUTANT)
        or _up_to_scale(evidence)
        or replace(where_wrong(evidence), source=Source.RELATION)
    )


def _says_little(found: Diagnosis, evidence: Sequence[Evidence]) -> bool:
    """Whether a relation names no mistake: a factor without a name that is another on each probe, or a value of zeros."""
    nameless = "factors" in found.evidence and "rows" not in found.evidence
    return nameless or (found.cause == Cause.ZERO_GRADIENT and evidence[0].subject == "out")


def _mutant(evidence: Sequence[Evidence], mutants: Mutants) -> Diagnosis | None:
    """One edit of the definition."""
    return next((found for forward in _passes(evidence) if (found := match_mutant(evidence, mutants(forward))) is not None), None)


def _passes(evidence: Sequence[Evidence]) -> list[bool]:
    """What may have been edited: the forward (True) where that is wrong, the backward for a gradient."""
    value, right = evidence[0].subject == "out", all(piece.forward_right for piece in evidence)
    return [True] if value else [False] if right else [True, False]


def _up_to_scale(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """What is said of scales that nothing more telling explains."""
    return relate(one_factor_per_slice, evidence)


def _on_all(evidence: Sequence[Evidence]) -> Diagnosis | None:
    relations = SIMPLE if any(piece.is_complex for piece in evidence) else RELATIONS  # complex numbers have no order
    return next((answer for relation in relations if (answer := relate(relation, evidence)) is not None), None)


def _on_most(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The first relation that holds on more than half of several probes: the others may mix two effects."""
    for relation in SIMPLE:
        answers = [relate(relation, [piece]) for piece in evidence]
        causes = {answer.cause for answer in answers if answer is not None}
        holding = [piece for piece, answer in zip(evidence, answers, strict=True) if answer is not None]
        if len(holding) >= 2 and 2 * len(holding) > len(evidence) and len(causes) == 1:
            return relate(relation, holding) or next(answer for answer in answers if answer is not None)
    return None
