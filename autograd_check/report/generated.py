"""What `autograd-check stubs` says about the lessons folder."""

from __future__ import annotations

from collections.abc import Sequence

from autograd_check.course.handout import FileState, Handout, Written


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
