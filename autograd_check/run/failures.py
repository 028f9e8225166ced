"""From an exception in a student's function to a `Failure` in the student's words: their line, their frames only."""

from __future__ import annotations

import math
import traceback
from bdb import BdbQuit
from collections.abc import Collection
from types import TracebackType

from autograd_check.causes import Cause
from autograd_check.verify.candidate import Failure

MAX_SAYS = 500
MAX_FRAMES = 12


class DeadlineReached(BaseException):
    """A student's call took longer than it may (argument: how many seconds); no `except Exception` of theirs catches it."""


class WrongArity(Exception):
    """A forward did not return `(out, cache)`."""


class Missing(Exception):
    """The file defines no function of this name."""


class DebuggerLeft(BaseException):
    """Somebody typed `q` at a debugger's prompt in their code. No `except Exception` on the way out catches it."""


def leaves_debugger(error: BaseException) -> bool:
    """Whether an exception is what `q` raises: pdb's own, or pytest's, which wraps pdb."""
    return isinstance(error, BdbQuit) or (type(error).__name__ == "Exit" and type(error).__module__ == "_pytest.outcomes")


def failure_of(error: BaseException, files: Collection[str] = (), deadline: float = math.inf) -> Failure:
    """What an exception means. `files` are the student's own file names; frames of all others are left out."""
    if isinstance(error, DeadlineReached):
        seconds = error.args[0] if error.args else deadline
        return Failure(Cause.TIMED_OUT, timed_out_text(seconds), **_place(error.__traceback__, files))
    if isinstance(error, WrongArity):
        return Failure(Cause.WRONG_ARITY, str(error))
    if isinstance(error, Missing):
        return Failure(Cause.MISSING, str(error))
    # a class of one's own that is a ValueError refuses as well as a ValueError does
    name, says = "ValueError" if isinstance(error, ValueError) else type(error).__name__, _text(error)
    if isinstance(error, NotImplementedError):
        return Failure(Cause.NOT_IMPLEMENTED, says, name, **_place(error.__traceback__, files))
    if isinstance(error, SystemExit):
        return Failure(Cause.EXITED, f"it called sys.exit({says})", name, **_place(error.__traceback__, files))
    if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
        return Failure(Cause.EXITED, f"it raised {name}", name, **_place(error.__traceback__, files))
    if isinstance(error, SyntaxError) and error.filename in files:
        line = (error.text or "").strip()[:MAX_SAYS]
        return Failure(Cause.CRASHED, (error.msg or says)[:MAX_SAYS], name, f"{error.filename}:{error.lineno}", line)
    return Failure(Cause.CRASHED, says or name, name, **_place(error.__traceback__, files))


def timed_out_text(deadline: float) -> str:
    """The sentence for a call that was stopped."""
    return f"it was stopped after {deadline:g} s; is there a loop that never ends?"


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        # The exception's own __str__ is student code as well.
        return ""
    return text if len(text) <= MAX_SAYS else f"{text[:MAX_SAYS]} ..."


def _place(trace: TracebackType | None, files: Collection[str]) -> dict[str, str]:
    """`where` and `trace`: the deepest line in the student's files, and their frames from the outermost in."""
    frames = [(frame, line) for frame, line in traceback.walk_tb(trace) if frame.f_code.co_filename in files]
    if not frames:
        return {"where": "", "trace": ""}
    shown = frames if len(frames) <= MAX_FRAMES else [*frames[: MAX_FRAMES // 2], *frames[-MAX_FRAMES // 2 :]]
    summary = traceback.StackSummary.extract(iter(shown))
    frame, line = frames[-1]
    return {"where": f"{frame.f_code.co_filename}:{line}", "trace": "".join(summary.format()).rstrip()}
