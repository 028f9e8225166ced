"""The sample class: the same for the same seed, and graded as what it says that it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from autograd_check.errors import SubmissionError
from autograd_check.grade.classroom import Plan, Run
from autograd_check.grade.grade import grade_lesson
from autograd_check.grade.sample import handed_in, variant_texts, write_sample
from autograd_check.run.zygote import Zygote
from tests import support
from tests.grade.crew import Here
from tests.support import ROOT

LESSONS = ["linear,relu,sigmoid"]
EXPECTED = {
    "right": {"passed"},
    "one mistake": {"failed"},
    "two mistakes": {"failed"},
    "unfinished": {"todo"},
    "crashing": {"failed"},
    "hostile": {"failed"},
    "unreadable": {"failed"},
    "missing": {"missing"},
}


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_graded_as_what_it_is(tmp_path: Path, zygote: Zygote) -> None:
    folder = tmp_path / "class"
    count = write_sample(support.course(), folder, 16, 3, LESSONS)
    with (folder / "truth.csv").open(newline="") as stream:
        truth = {(row["student"], row["lesson"]): row for row in csv.DictReader(stream)}
    assert len(truth) == 48
    assert count == sum(row["file"] != "" for row in truth.values())
    assert {row["is"] for row in truth.values()} >= {"right", "one mistake", "unfinished", "crashing", "missing"}
    with Run.open(support.outline(), Plan(folder, tmp_path / "graded")) as run:
        for _ in run.grade(Here(ROOT, zygote)):
            pass
        summary = run.finish()
    found = {}
    for line in (tmp_path / "graded" / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        found.update({(record["submission"], lesson["lesson"]): lesson["status"] for lesson in record["lessons"]})
    wrong = {key: (row["is"], row["detail"], found[key]) for key, row in truth.items() if found[key] not in EXPECTED[row["is"]]}
    assert wrong == {}
    assert summary.students == 17  # one of the roster handed in nothing
    assert all(found["Ada Nobody", lesson] == "missing" for lesson in ("linear", "relu", "sigmoid"))


def test_the_same_seed_gives_the_same_class(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        write_sample(support.course(), tmp_path / name, 4, seed, LESSONS)
    assert files(tmp_path / "one") == files(tmp_path / "same")
    assert files(tmp_path / "one") != files(tmp_path / "other")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SubmissionError, match="is there already; a sample is written into a new folder"):
        write_sample(support.course(), tmp_path, 2, 0, LESSONS)
    assert list(files(tmp_path)) == ["mine.txt"]


@pytest.mark.long
@pytest.mark.parametrize("name", support.names())
def test_what_is_right_passes_as_a_file(name: str) -> None:
    lesson = support.lesson(name)
    texts = {"reference": handed_in(lesson.reference_source()), **variant_texts(lesson)}
    assert len(texts) >= 2 or lesson.spec.given  # what a hunt hands out may be made by a function around it
    for style, text in texts.items():
        record = grade_lesson(lesson, text, f"{name}.py", dependencies=support.sources())
        assert record.status == "passed", (style, [f.message for f in record.findings if f.status == "failed"])
