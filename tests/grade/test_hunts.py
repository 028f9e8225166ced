"""Mistakes of a hunt that were not planted are told where the numbers prove them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.grade.session import Session
from tests import support

CASES = [
    ("cross_entropy_hunt", "len(rows) / len(x)", "micro / len(x)", "dw is what it would be if every piece had micro rows"),
    ("cross_entropy_hunt", "len(rows) / len(x)", "1.0 * len(rows)", "dw is a sum over all rows: the division by their number is missing."),
    ("cross_entropy_hunt", "len(rows) / len(x)", "1.0", "dw is a sum of the pieces' means: each needs its share of the rows."),
    ("cross_entropy_hunt", "len(rows) / len(x)", "len(rows) / (len(x) + 1)", "neither that of the whole batch nor the planted one."),
    ("adam_hunt", "        states = [state for _, state in moved]\n", "", "Every step is like Adam's first"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "says"), CASES)
def test_what_is_wrong_is_told(name: str, old: str, new: str, says: str, tmp_path: Path) -> None:
    source = support.lesson(name).reference_source().partition("### BEGIN SPEC")[0]
    assert old in source
    path = tmp_path / f"{name}.py"
    path.write_text(source.replace(old, new))
    messages = [finding.message for finding in Session(support.course()).grade_file(name, path).findings]
    assert any(says in message for message in messages), messages
