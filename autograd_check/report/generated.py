"""What `autograd-check stubs`, `start`, `update` and `release` say about files that were made."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from autograd_check.course.folder import Update, What
from autograd_check.course.handout import FileState, Handout, Written
from autograd_check.course.outline import Outline
from autograd_check.course.own import read_title
from autograd_check.grade.release import Released


def check_text(handouts: Sequence[Handout]) -> tuple[str, bool]:
    """The files that are not up to date and the command that fixes them; whether all are."""
    behind = [handout for handout in handouts if handout.state is not FileState.CURRENT]
    if not behind:
        return f"All {len(handouts)} files of lessons/ are up to date.", True
    lines = [f"  {handout.path.as_posix()}: {handout.state}" for handout in behind]
    fix = "autograd-check stubs --force" if any(h.state is FileState.EDITED for h in behind) else "autograd-check stubs"
    return "\n".join(["lessons/ is not what solutions/ would give:", *lines, f"To fix it: {fix}"]), False


def written_text(written: Written) -> tuple[str, bool]:
    """What was written, what was refused, where backups are; whether nothing was refused."""
    count = len(written.written)
    lines = [f"{count} file{'' if count == 1 else 's'} of lessons/ written" + (":" if count else ", all are up to date.")]
    lines += [f"  {path.as_posix()}" for path in written.written]
    lines += [f"  backup: {path.name} in {path.parent.name}/" for path in written.backups]
    if written.refused:
        lines += ["Left alone, because they were edited by hand (--force replaces them and keeps a backup):"]
        lines += [f"  {path.as_posix()}" for path in written.refused]
    return "\n".join(lines), not written.refused


def started_text(outline: Outline, folder: str) -> str:
    """What is in a folder of one's own, and what to type next; `folder` is its name as it was typed."""
    lessons, units = len(outline.lessons), len(outline.units)
    lines = [
        f"{folder} is your course folder: {_counted(lessons, 'lesson')} in {_counted(units, 'unit')}, "
        f"version {read_title(outline.root).version}.",
        "",
        f"  cd {shlex.quote(folder)}",
        "  autograd-check    where you stand, and what comes next",
    ]
    if outline.lessons:
        first = outline.lessons[0]
        lines.append(f"  open the first lesson, {first.stub.relative_to(outline.root).as_posix()}, and then")
        lines.append(f"  autograd-check check {first.name}")
    return "\n".join(lines)


def released_text(made: Released) -> str:
    """What a release holds, and what its students type."""
    return "\n".join(
        [
            f"{made.folder} is a release: a course folder, and a package without answers ({made.secrets:,} lines of them left out).",
            "Hand out the whole folder. In it your students type",
            "",
            f"  pip install ./{made.wheel.name}",
            "  autograd-check",
            "",
            "They get the same status and points as with the whole course, and you grade with the whole course.",
        ]
    )


def updated_text(update: Update) -> str:
    """What an update did: every file by what became of it, and that a student's work is as it was."""
    moved = update.before != update.after
    lines = [
        f"Course {update.before or 'of no version'} → {update.after}" if moved else f"Course {update.after}, the newest here."
    ]
    if not update.recorded:
        lines.append("There was no record of what was handed out, so every file that differs counts as yours.")
    for what in What:
        paths = [change.path.as_posix() for change in update.changes if change.what is what]
        lines += [f"{what}:", *(f"  {path}" for path in paths)] if paths else []
        if paths and what is What.KEPT:
            lines.append(
                "To begin such a lesson again from its new stub: autograd-check reset NAME (your file is kept as a backup)"
            )
    if not any(change.what is not What.UNKNOWN for change in update.changes):
        lines.append("No file had to be changed.")
    if update.begun:
        verb = "holds" if update.begun == 1 else "hold"
        lines.append(f"{_counted(update.begun, 'file')} {verb} work of yours: not touched. Progress is as it was.")
    return "\n".join(lines)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
