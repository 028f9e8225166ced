"""The vocabulary of causes."""

from __future__ import annotations

import pytest

from autograd_check.causes import Cause
from autograd_check.course.probe import Convention
from autograd_check.errors import CourseError, UnknownCauseError


def test_a_cause_is_its_word() -> None:
    assert Cause.SIGN.value == "sign"
    assert str(Cause.MISSING_BATCH_MEAN) == "missing_batch_mean"
    assert Cause.named("sign") is Cause.SIGN


def test_every_cause_has_one_sentence_of_its_own() -> None:
    sentences = [cause.sentence for cause in Cause]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence[0].isupper() and sentence.endswith(".") and ". " not in sentence for sentence in sentences)


def test_the_published_words_stay() -> None:
    """Courses, reports and other tools depend on them."""
    published = (
        "sign constant_factor missing_batch_mean extra_batch_mean transposed wrong_axis missing_reduction mean_for_sum "
        "ignores_upstream nonlinear_in_upstream missing_term wrong_operand mask_missing mask_inverted overwritten border ties "
        "flipped stale_state mutates_input aliases_input wrong_shape wrong_dtype not_finite unstable nondeterministic "
        "zero_gradient forward_wrong consistent_with_wrong_forward forbidden_operation silent_broadcast not_implemented "
        "crashed timed_out unknown"
    )
    assert set(published.split()) <= {str(cause) for cause in Cause}


def test_an_unknown_word_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownCauseError, match=r"There is no cause 'transposd': did you mean transposed\?"):
        Cause.named("transposd")
    with pytest.raises(CourseError, match="There is no cause 'bananas': the causes are sign, "):
        Cause.named("bananas")


def test_a_convention_takes_the_word_for_the_cause() -> None:
    assert Convention(Cause.TIES, "a tie").cause is Cause.TIES
    with pytest.raises(UnknownCauseError, match="did you mean ties"):
        Convention("tie", "a tie")  # type: ignore[arg-type]  # as a lesson writes it
