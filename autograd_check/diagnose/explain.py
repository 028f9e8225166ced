"""From evidence to a diagnosis: known mistakes first, then relations from the simplest, then what can be said at least."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_check.diagnose.fingerprints import Fingerprint, match_fingerprint
from autograd_check.diagnose.relations import RELATIONS
from autograd_check.diagnose.where import where_wrong
from autograd_check.verify.evidence import Evidence
from autograd_check.verify.finding import Diagnosis


def explain(evidence: Sequence[Evidence], fingerprints: Sequence[Fingerprint] = ()) -> Diagnosis | None:
    """The cause of one wrong array, given every probe on which it was wrong.

    A relation counts only if it holds on all of them. Where a lesson's own mistake yields exactly these numbers its cause
    stands, in the words of the relation if both agree. Without evidence there is no diagnosis.
    """
    if not evidence:
        return None
    found = next((answer for relation in RELATIONS if (answer := relation(evidence)) is not None), None)
    if found is not None and found.cause == "consistent_with_wrong_forward":
        return found
    known = match_fingerprint(evidence, fingerprints)
    if known is not None and (found is None or found.cause != known.cause):
        return known
    return found or where_wrong(evidence)
