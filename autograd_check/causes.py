"""The vocabulary of causes: why something is wrong, one word and one sentence each.

The words are stable: courses, reports and other tools depend on them. New ones may be added.
"""

from __future__ import annotations

from difflib import get_close_matches
from enum import StrEnum

from autograd_check.errors import UnknownCauseError


class Cause(StrEnum):
    """Why something is wrong. A member is its word (`Cause.SIGN == "sign"`); `sentence` says what it means."""

    sentence: str

    def __new__(cls, word: str, sentence: str) -> Cause:
        """A member of one word and one sentence."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.sentence = sentence
        return member

    # factors and signs
    SIGN = "sign", "The sign is wrong."
    CONSTANT_FACTOR = "constant_factor", "Every entry is off by one and the same factor."
    MISSING_BATCH_MEAN = "missing_batch_mean", "The division by the number of rows is missing."
    EXTRA_BATCH_MEAN = "extra_batch_mean", "It is divided by the number of rows once too often."
    MEAN_FOR_SUM = "mean_for_sum", "A mean was taken where the chain rule sums."
    # axes and shapes
    TRANSPOSED = "transposed", "Axes are exchanged."
    FLIPPED = "flipped", "An axis runs backwards."
    SWAPPED = "swapped", "Two results have changed places."
    WRONG_AXIS = "wrong_axis", "A sum, a mean or a maximum runs over the wrong axis."
    MISSING_REDUCTION = "missing_reduction", "A sum over an axis that was broadcast is missing."
    ROWS_MISSING = "rows_missing", "Only some of the rows take part."
    BORDER = "border", "It is wrong at the border only."
    WRONG_SHAPE = "wrong_shape", "The shape is not the one that was asked for."
    # the chain rule
    IGNORES_UPSTREAM = "ignores_upstream", "The upstream gradient is not used."
    NONLINEAR_IN_UPSTREAM = "nonlinear_in_upstream", "It is not linear in the upstream gradient, as every backward pass is."
    MISSING_TERM = "missing_term", "One of the terms of the gradient is missing."
    EXTRA_TERM = "extra_term", "There is a term too many."
    WRONG_OPERAND = "wrong_operand", "One array stands where another belongs, such as the output for the input."
    ZERO_GRADIENT = "zero_gradient", "It is zero where it should not be."
    OVERWRITTEN = "overwritten", "Contributions overwrite one another where they should add up."
    CONSISTENT_WITH_WRONG_FORWARD = "consistent_with_wrong_forward", "It is the right gradient of a forward that is wrong."
    FORWARD_WRONG = "forward_wrong", "The forward does not compute what the definition says."
    # masks and chance
    MASK_MISSING = "mask_missing", "The mask of the forward is missing in the backward."
    MASK_INVERTED = "mask_inverted", "The mask is the wrong way round."
    MASK_REDRAWN = "mask_redrawn", "The backward draws another mask than the forward did."
    WRONG_DISTRIBUTION = "wrong_distribution", "The numbers drawn do not have the distribution that was asked for."
    NONDETERMINISTIC = "nondeterministic", "Two calls with the same inputs give different results."
    # conventions
    TIES = "ties", "At a point where the gradient jumps another convention is followed."
    LAYOUT = "layout", "It depends on how a tensor lies in memory."
    BIASED_VARIANCE = "biased_variance", "The variance is divided by N where N − 1 was asked for, or the reverse."
    MOMENTUM_REVERSED = "momentum_reversed", "The old estimate has the weight of the new one."
    # state and side effects
    STALE_STATE = "stale_state", "Something is left over from an earlier call, or what is carried over is wrong or wrongly used."
    MUTATES_INPUT = "mutates_input", "An argument is changed in place."
    ALIASES_INPUT = "aliases_input", "A result shares memory with an argument or with another result."
    WRONG_DEFAULT = "wrong_default", "A hyperparameter has another default than the one that was asked for."
    # numbers and types
    WRONG_DTYPE = "wrong_dtype", "The dtype is not that of the inputs, or digits were lost to a narrower one on the way."
    WRONG_TYPE = "wrong_type", "It is not a tensor."
    NOT_FINITE = "not_finite", "There are entries that are not finite."
    UNSTABLE = "unstable", "The formula is right but loses its digits, or overflows, on large or small numbers."
    NUMERIC_DIFFERENTIATION = "numeric_differentiation", "The gradient is approximated by differences of the forward."
    FIRST_ORDER = "first_order", "The differences are one-sided: their error falls like h and not like h²."
    IGNORES_STEP = "ignores_step", "The step h is not used."
    # what came back
    RETURNS_NONE = "returns_none", "None came back where a value was expected: a return is missing."
    WRONG_ARITY = "wrong_arity", "The number of values that came back is wrong."
    NOT_IMPLEMENTED = "not_implemented", "It is not written yet."
    MISSING = "missing", "There is no function of this name."
    CRASHED = "crashed", "It raised an exception."
    EXITED = "exited", "It ended the program."
    TIMED_OUT = "timed_out", "It did not return in time."
    DIED = "died", "It ended its own process."
    UNREADABLE = "unreadable", "The file cannot be read."
    SLOW = "slow", "It takes longer than the lesson asks for."
    FORBIDDEN_OPERATION = "forbidden_operation", "It uses what this lesson asks to be written by hand."
    # refusals, and tests that students write
    SILENT_BROADCAST = "silent_broadcast", "Shapes that do not fit are broadcast in silence."
    NOT_GENERAL = "not_general", "It is right for plain arguments, and not for more general ones yet."
    NOT_REFUSED = "not_refused", "What has no meaning is accepted."
    WRONG_ERROR = "wrong_error", "It refuses with another exception than the one that was asked for."
    UNCLEAR_ERROR = "unclear_error", "The error does not name what does not fit."
    MISSED_BUG = "missed_bug", "A wrong implementation passes the test."
    FALSE_ALARM = "false_alarm", "A right implementation fails the test."
    UNKNOWN = "unknown", "No cause was recognised."

    @classmethod
    def named(cls, word: str) -> Cause:
        """The cause of this word. Raises `UnknownCauseError`, which names the nearest ones."""
        known = {member.value: member for member in cls}
        if word in known:
            return known[word]
        near = get_close_matches(word, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"the causes are {', '.join(known)}."
        raise UnknownCauseError(f"There is no cause {word!r}: {hint}")
