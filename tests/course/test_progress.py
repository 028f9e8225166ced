from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.files import digest
from autograd_check.course.outline import read_outline
from autograd_check.course.progress import STATE_FILE, Progress, Stage, Verified, next_lesson, stages
from tests.toy import RIGHT, make_course


def test_stages_follow_the_file_and_never_only_the_record(tmp_path: Path) -> None:
    root = make_course(tmp_path, stubs=True)
    outline, stub = read_outline(root), root / "lessons" / "u01_toys" / "double.py"
    assert stages(outline)["double"] is Stage.OPEN
    stub.write_text(RIGHT)
    assert stages(outline)["double"] is Stage.BEGUN
    Progress.read(root).with_verdict("double", Verified("passed", 4.0, 4.0, digest(RIGHT))).save()
    assert stages(outline)["double"] is Stage.DONE
    stub.write_text(RIGHT + "# a change\n")
    assert stages(outline)["double"] is Stage.CHANGED
    stub.write_text(RIGHT)
    Progress.read(root).with_verdict("double", Verified("failed", 1.0, 4.0, digest(RIGHT))).save()
    assert stages(outline)["double"] is Stage.FAILED
    stub.unlink()
    assert stages(outline)["double"] is Stage.OPEN


def test_the_next_lesson_is_the_first_that_is_not_done(tmp_path: Path) -> None:
    outline = read_outline(make_course(tmp_path))
    found = next_lesson(outline, {"double": Stage.DONE, "quadruple": Stage.CHANGED})
    assert found is not None
    assert found.name == "quadruple"
    assert next_lesson(outline, {"double": Stage.DONE, "quadruple": Stage.DONE}) is None


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "null", '{"version": 1}', '{"version": 2, "lessons": {}, "hints": {}}', "\x00\xff"]
    + ['{"version": 1, "lessons": {"a": 3}, "hints": {}}', '{"version": 1, "lessons": {}, "hints": {"a": "many"}}'],
)
def test_a_damaged_state_counts_as_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    assert Progress.read(tmp_path) == Progress(tmp_path)


def test_state_survives_a_round_trip(tmp_path: Path) -> None:
    progress = Progress(tmp_path).with_verdict("double", Verified("passed", 4.0, 4.0, "abc")).with_hints("double", 2)
    progress.save()
    assert Progress.read(tmp_path) == progress


def test_hints_step_on_and_stop_at_the_last(tmp_path: Path) -> None:
    entry = read_outline(make_course(tmp_path)).lesson("double")
    progress, seen = Progress(tmp_path), []
    for _ in range(4):
        seen.append(progress.next_hint(entry))
        progress = progress.with_hints("double", seen[-1])
    assert seen == [1, 2, 2, 2]
