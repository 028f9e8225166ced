"""`autograd-check grade`: a whole class."""

from __future__ import annotations

import json
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autograd_check.cli.options import CourseOption, taught_course, tell_broken
from autograd_check.course.outline import read_outline
from autograd_check.report.console import columns, complain, say, tracked
from autograd_check.report.streams import announced

INTERRUPTED = 130


class Output(StrEnum):
    """How the summary is printed: in words, as JSON, or as grades.csv."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def grade(
    submissions: Annotated[
        Path, typer.Argument(metavar="SUBMISSIONS", help="A folder, a zip from Canvas, Moodle or Gradescope, or a roster (CSV).")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the store, records.jsonl and grades.csv go.")],
    lessons: Annotated[
        list[str] | None,
        typer.Option("--lessons", metavar="NAMES", help="What is assigned, such as linear,relu=5; by default assignment.toml."),
    ] = None,
    roster: Annotated[Path | None, typer.Option(metavar="FILE", help="The class, as CSV: student, name, email, path.")] = None,
    jobs: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes; by default one a core.")] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDR", help="A Dask scheduler, such as tcp://host:8786, to grade on its workers.")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", metavar="F", help="A secret from which the probes are drawn; made if not there.")
    ] = None,
    allow_unsandboxed: Annotated[
        bool, typer.Option("--allow-unsandboxed", help="Run code that nothing confines. Only if you trust every file.")
    ] = False,
    output: Annotated[Output, typer.Option("--format", help="How the summary is printed.")] = Output.TEXT,
    course: CourseOption = None,
) -> None:
    """Grade a class.

    Exit code 0 when every submission has a record. Stopped, the same command goes on where it was.

    Example: autograd-check grade submissions --out graded --lessons linear,relu
    """
    outline = read_outline(taught_course(course))
    with announced("importing torch"):
        from autograd_check.grade.classroom import Plan, Run
        from autograd_check.grade.gradebook.publish import GRADES
        from autograd_check.grade.pool import cores, hired
        from autograd_check.report.class_summary import render_class

    tell_broken(outline)
    plan = Plan(submissions, out, lessons or [], roster, key_file, allow_unsandboxed)
    try:
        with ExitStack() as stack:
            with announced("reading the submissions"):
                run = stack.enter_context(Run.open(outline, plan))
            if run.done < run.total:
                with announced("starting processes"):
                    crew = stack.enter_context(hired(plan.setup(outline, run.lessons), jobs or cores(), scheduler))
                for _ in tracked(run.grade(crew), "grading", run.total, run.done):
                    pass
            with announced("writing the grades"):
                summary = run.finish()
    except KeyboardInterrupt:
        complain(f"Stopped. What was graded is kept in {out}; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    if output is Output.TEXT:
        say(render_class(summary, columns()))
    else:
        typer.echo(json.dumps(summary.to_dict(), indent=2) if output is Output.JSON else (out / GRADES).read_text().rstrip("\n"))
