"""The words of which a lesson's probes are made: what is tried, and what failing it means.

    at([name], **given)                  a wrong value or gradient
    edge(name, **given)                  the same, at a point that no random draw would meet
    convention(name, cause, says, ...)   that convention only
    stability(name, says, **given)       the convention that large and small numbers do no harm
    refused([name], says=, mentions=)    a `ValueError` did not come, or does not name the shapes
    reach(name, *probes, says=)          one finding for the group, never the gradient

A keyword is the name of a size, of a primal (then its value, or how it is drawn) or of a hyperparameter. Which it is follows
from the task that the words stand in; one that is none of these, or two, is refused when the lesson is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autograd_check.causes import Cause
from autograd_check.course.draws import Shaped, shaped
from autograd_check.course.probe import Convention


@dataclass(frozen=True)
class At:
    """A point to try: whatever is `given`, and the rest as always. `convention` is what it judges, where it judges one."""

    name: str
    given: Mapping[str, Any]
    convention: Convention | None = None

    def __str__(self) -> str:
        """As an author finds it in the lesson."""
        return repr(self.name) if self.name else f"at({label(self.given)})"


@dataclass(frozen=True)
class Refused:
    """A point that must be refused. `mentions` are the tensors whose shapes the error must name; None: those that do not fit."""

    name: str
    given: Mapping[str, Any]
    meaning: Convention | None
    mentions: tuple[str, ...] | None

    def __str__(self) -> str:
        """As an author finds it in the lesson."""
        return repr(self.name) if self.name else f"refused({label(self.given)})"


@dataclass(frozen=True)
class ReachOf:
    """Points that go beyond the idea of the lesson, judged together and apart from everything else."""

    name: str
    probes: tuple[At, ...]
    says: str


@dataclass(frozen=True)
class RunOf:
    """Calls of a layer with a state, one letter each; `own` changes what single letters mean."""

    letters: str
    name: str
    given: Mapping[str, Any]
    convention: Convention | None = None


Word = At | Refused | ReachOf | RunOf


def at(name: str = "", /, **given: Any) -> At:
    """A point at which a difference is a wrong value or gradient. Without a name it is called after what is given."""
    return At(name, given)


def edge(name: str, /, **given: Any) -> At:
    """A point that is an edge by what is written: a list, or `columns(...)`. A difference is a wrong value or gradient."""
    return At(name, given)


def convention(name: str, cause: Cause, says: str, /, *, within: float = float("inf"), run: str = "", **given: Any) -> At | RunOf:
    """A point that judges one definition where textbooks differ: `says` completes "dx is right; ...".

    A difference of more than `within`, relative to the worst entry, is no other convention but an error. `run` is the run of
    a layer with a state.
    """
    meaning = Convention(cause, says, within)
    return RunOf(run, name, given, meaning) if run else At(name, given, meaning)


def stability(name: str, says: str, /, **given: Any) -> At:
    """A point with numbers so large or small that a formula may overflow or lose its digits on them."""
    return At(name, given, Convention(Cause.UNSTABLE, says))


def refused(
    name: str = "",
    /,
    *,
    says: str = "",
    mentions: tuple[str, ...] | None = None,
    cause: Cause = Cause.SILENT_BROADCAST,
    **given: Any,
) -> Refused:
    """A point that must raise `ValueError`. `says` is what accepting it means; nothing: that it broadcasts in silence.

    `mentions` are the tensors whose shapes the error must name; by default those of another shape than the lesson's, and
    those that they are to fit.
    """
    return Refused(name, given, Convention(cause, says) if says else None, mentions)


def mismatched(primal: str, /, *shapes: str) -> tuple[Refused, ...]:
    """The primal in each of these shapes, to be refused by the names of what does not fit: `mismatched("y", "N,1", "1")`."""
    return tuple(Refused("", {primal: shaped(shape)}, None, None) for shape in shapes)


def reach(name: str, /, *probes: At, says: str) -> ReachOf:
    """Points beyond the idea of the lesson. `says` is what is not there yet where one fails: "pairs are not taken yet"."""
    return ReachOf(name, probes, says)


def run(letters: str, name: str = "", /, **given: Any) -> RunOf:
    """Calls one after the other, each a letter of the task's `calls`; a letter as keyword changes that call in this run."""
    return RunOf(letters, name, given)


def label(given: Mapping[str, Any]) -> str:
    """What is given, as text: "N=16, eps=0.1"."""
    return ", ".join(f"{name}={_text(value)}" for name, value in given.items())


def _text(value: Any) -> str:
    if isinstance(value, (int, float, str, bool, tuple, type(None))):
        return str(value)
    return "..." if not isinstance(value, Shaped) else "another shape"
