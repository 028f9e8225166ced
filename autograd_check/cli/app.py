"""The program `autograd-check`: its commands, and what becomes of errors.

Exit codes: 0 passed, 1 not passed, 2 could not run. Something is on the screen before anything else is imported, and of all
commands only the one that was asked for is made: each costs hundredths of a second.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from autograd_check.report.streams import announced, never_fail_to_print

if TYPE_CHECKING:
    from typer import Typer

EXTRAS = {"sklearn": "train", "matplotlib": "train", "sympy": "derive", "jupytext": "notebook", "distributed": "cluster"}

COMMANDS = {
    "list": "listing:list_lessons",
    "start": "start:start",
    "check": "check:check",
    "watch": "watch:watch",
    "hint": "hint:hint",
    "derive": "derive:derive",
    "plot": "plot:plot",
    "reset": "reset:reset",
    "train": "train:train",
    "bench": "bench:bench",
    "update": "update:update",
    "grade": "grade:grade",
    "regrade": "regrade:regrade",
    "override": "override:override",
    "sample": "sample:sample",
    "release": "release:release",
    "stubs": "stubs:stubs",
    "new-course": "new:new_course",
    "new-lesson": "new:new_lesson",
    "test-lesson": "rehearse:rehearse_lesson",
    "doctor": "doctor:doctor",
}
"""Every command in the order of the help: its module and its function there."""


def make_app(wanted: str = "") -> Typer:
    """The program with the command that is `wanted`, or with all where that is none."""
    import typer

    from autograd_check.cli.status import status

    app = typer.Typer(
        name="autograd-check",
        help="Hand-written gradients, checked and explained. Without a command: where you stand, and what comes next.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )
    app.callback(invoke_without_command=True)(status)
    for name in [wanted] if wanted in COMMANDS else COMMANDS:
        module, _, function = COMMANDS[name].partition(":")
        app.command(name)(getattr(import_module(f"autograd_check.cli.{module}"), function))
    return app


def command_of(arguments: Sequence[str]) -> str:
    """The command that stands first among arguments; "" where an option does, or a shell asks for completions."""
    completing = any(name.endswith("_COMPLETE") for name in os.environ)
    return arguments[0] if arguments and not completing else ""


INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Run the program. An error of this library is one paragraph on stderr and exit code 2, never a traceback."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    never_fail_to_print()
    with announced("starting"):
        # Lessons are small, and a process with threads cannot be forked: before numpy and torch count the cores.
        for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(pool, "1")
        from autograd_check.errors import AutogradCheckError

        app = make_app(command_of(sys.argv[1:]))
    try:
        app()
    except OSError as error:  # a folder that is gone or may not be written to
        _complain(error)
        sys.exit(2)
    except (AutogradCheckError, ModuleNotFoundError) as error:
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        extra = EXTRAS.get((missing.name or "").split(".")[0]) if isinstance(missing, ModuleNotFoundError) else None
        if isinstance(error, ModuleNotFoundError) and extra is None:
            raise
        advice = f" It comes with: pip install 'autograd-check[{extra}]'" if extra else ""
        _complain(error, advice)
        sys.exit(2)


def _complain(error: Exception, advice: str = "") -> None:
    from autograd_check.report.console import complain, sentence

    complain(f"autograd-check: {sentence(error)}{advice}")
