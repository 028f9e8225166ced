"""The program `autograd-check`: its commands, and what becomes of errors.

Exit codes: 0 passed, 1 not passed, 2 could not run.
"""

from __future__ import annotations

import os
import sys

import typer

from autograd_check.cli import (
    bench,
    check,
    derive,
    doctor,
    grade,
    hint,
    listing,
    override,
    plot,
    regrade,
    release,
    reset,
    sample,
    start,
    status,
    stubs,
    train,
    update,
    watch,
)
from autograd_check.errors import AutogradCheckError
from autograd_check.report.console import complain, never_fail_to_print

EXTRAS = {"sklearn": "train", "matplotlib": "train", "sympy": "derive", "jupytext": "notebook", "distributed": "cluster"}

app = typer.Typer(
    name="autograd-check",
    help="Hand-written gradients, checked and explained. Without a command: where you stand, and what comes next.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)
app.callback(invoke_without_command=True)(status.status)
app.command("list")(listing.list_lessons)
app.command()(start.start)
app.command()(check.check)
app.command()(watch.watch)
app.command()(hint.hint)
app.command()(derive.derive)
app.command()(plot.plot)
app.command()(reset.reset)
app.command()(train.train)
app.command()(bench.bench)
app.command()(update.update)
app.command()(grade.grade)
app.command()(regrade.regrade)
app.command()(override.override)
app.command()(sample.sample)
app.command()(stubs.stubs)
app.command()(release.release)
app.command()(doctor.doctor)


def main() -> None:
    """Run the program. An error of this library is one paragraph on stderr and exit code 2, never a traceback."""
    # Lessons are small, and a process with threads cannot be forked: before numpy and torch count the cores.
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    never_fail_to_print()
    try:
        app()
    except OSError as error:  # a folder that is gone or may not be written to
        where = f": {error.filename}" if error.filename else ""
        complain(f"autograd-check: {error.strerror or error}{where}")
        sys.exit(2)
    except (AutogradCheckError, ModuleNotFoundError) as error:
        missing = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        extra = EXTRAS.get((missing.name or "").split(".")[0]) if isinstance(missing, ModuleNotFoundError) else None
        if isinstance(error, ModuleNotFoundError) and extra is None:
            raise
        advice = f" It comes with: pip install 'autograd-check[{extra}]'" if extra else ""
        complain(f"autograd-check: {error}{advice}")
        sys.exit(2)
