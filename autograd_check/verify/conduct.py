"""What a call owes its surroundings: arguments left alone, the same answer twice, and a cache that holds all it needs."""

from __future__ import annotations

from collections.abc import Iterator

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Outcome
from autograd_check.verify.case import PairNames
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Status
from autograd_check.verify.tensors import equal_bits
from autograd_check.verify.trial import Trial, unpack


def check_unchanged(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """Primals and `dout` are as they were; compared with copies."""
    by_function = [(names.forward, name) for name in trial.changed] + [(names.backward, name) for name in trial.spoilt]
    for function, name in by_function:
        text = f"{name} was changed in place; make a new tensor instead, its owner still needs the old one"
        yield Finding(
            "unmodified",
            function,
            trial.case.name,
            Status.FAILED,
            text,
            Kind.CONVENTION,
            None,
            Diagnosis(Cause.MUTATES_INPUT, text, {"changed": name}),
        )


def check_aliases(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """No gradient shares memory with a primal or with another gradient."""
    for pair in trial.aliases:
        text = f"{pair}: changing one later would change the other; return a copy"
        yield Finding(
            "aliasing",
            names.backward,
            trial.case.name,
            Status.FAILED,
            text,
            Kind.CONVENTION,
            None,
            Diagnosis(Cause.ALIASES_INPUT, text, {"aliases": pair}),
        )


def check_repeatable(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """Two backward calls on the same inputs give the same bits."""
    if len(trial.unpacked) < 5:
        return
    for subject, gradient in trial.unpacked[0].items():
        if not equal_bits(gradient.value, trial.unpacked[-1][subject].value):
            text = (
                f"{subject} differs between two calls with the same inputs: something is left over from the first call, or random"
            )
            yield Finding(
                "repeatable",
                names.backward,
                trial.case.name,
                Status.FAILED,
                text,
                Kind.CONVENTION,
                None,
                Diagnosis(Cause.NONDETERMINISTIC, text),
            )
            return


def check_forward_repeatable(trial: Trial, names: PairNames) -> Iterator[Finding]:
    """Two forward calls on the same inputs, with the same seed, give the same bits."""
    if not equal_bits(trial.out, trial.reference.out):
        text = "out differs between two calls with the same inputs and the same seed: nothing can be compared with it"
        diagnosis = Diagnosis(Cause.NONDETERMINISTIC, text)
        yield Finding("repeatable", "out", trial.case.name, Status.FAILED, text, Kind.VALUE, None, diagnosis)
        return
    yield Finding("repeatable", "out", trial.case.name, Status.PASSED, "the same twice", Kind.VALUE)


def check_cache_reusable(outcome: Outcome, names: PairNames, probe: str) -> Iterator[Finding]:
    """A later backward with the same cache gives what the first one gave: `outcome` is of calls that shared it.

    The first and the last of them were given the same cotangent.
    """
    text = ""
    if outcome.value is not None and outcome.failure is not None and outcome.value[1]:
        text = f"a second {names.backward} with the same cache raised {outcome.failure.exception}: {outcome.failure.says}"
    elif outcome.ok and outcome.value is not None and not equal_bits(outcome.value[1][0], outcome.value[1][-1]):
        text = f"a second {names.backward} with the same cache gives another result: the backward changes its cache"
    if text:
        yield Finding(
            "cache reusable",
            names.backward,
            probe,
            Status.FAILED,
            text,
            Kind.CONVENTION,
            None,
            Diagnosis(Cause.STALE_STATE, text),
        )


def check_own_cache(outcome: Outcome, trial: Trial, names: PairNames) -> Iterator[Finding]:
    """The backward finds what it needs in its cache, also where the forward ran on other data since.

    `outcome` is of such a call, for the cotangent of the trial's first answer. Code that differs from run to run is left out.
    """
    if len(trial.unpacked) < 5 or outcome.value is None:
        return
    answered = unpack(outcome.value[1][0], names.wrt) if outcome.value[1] else None
    for subject, gradient in trial.unpacked[0].items():
        again = answered[subject].value if answered is not None else None
        if answered is None and outcome.failure is None:
            return
        if not equal_bits(gradient.value, trial.unpacked[-1][subject].value) or equal_bits(gradient.value, again):
            continue
        text = (
            f"{subject} is another one as soon as {names.forward} runs on other data before {names.backward}: what the backward "
            "needs must be in the cache, and not in a variable outside of it"
        )
        diagnosis = Diagnosis(Cause.STALE_STATE, text)
        yield Finding("own cache", subject, trial.case.name, Status.FAILED, text, Kind.GRADIENT, None, diagnosis)
