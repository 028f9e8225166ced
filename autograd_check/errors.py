"""The exceptions of this library, as one tree.

    AutogradCheckError
    ├── CourseError            a course folder, lesson file or specification is not usable
    │   ├── MarkerError        a BEGIN/END marker stands without its partner
    │   └── UnknownCauseError  a mistake or convention of a lesson has a cause that is not in the vocabulary
    ├── SubmissionError        a submission cannot be read at all
    ├── WireError              a process that runs student code sent something that is not a message
    └── GradientError          a gradient is wrong (in `report.gradient_error`, since it is torch's `GradcheckError` as well)

An error of this tree says what was expected, what came, where, and what to do; the command line prints it without a traceback
and exits with 2.
"""

from __future__ import annotations


class AutogradCheckError(Exception):
    """Root of all errors that this library raises on purpose."""


class CourseError(AutogradCheckError):
    """A course folder, lesson file or specification is not usable."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence. The frames between are this library's."""
        return [str(self)]


class MarkerError(CourseError):
    """A BEGIN/END marker stands without its partner."""


class UnknownCauseError(CourseError):
    """A cause is not in the vocabulary of `autograd_check.causes`."""


class SubmissionError(AutogradCheckError):
    """A submission cannot be read at all."""


class WireError(AutogradCheckError):
    """A process that runs student code sent something that is not a message."""
