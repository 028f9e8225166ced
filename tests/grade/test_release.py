"""A release: nothing of an answer is in it, and it says of every file what the whole course says."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd_check.course.folder import start
from autograd_check.course.load import Course, CourseLesson, importable
from autograd_check.course.mistakes import edited_source, mistake_functions
from autograd_check.course.outline import Outline, read_lessons
from autograd_check.course.without_answers import leaks, secret_lines
from autograd_check.diagnose.mutate import mutants
from autograd_check.errors import CourseError, SubmissionError
from autograd_check.grade.bench import bench_course
from autograd_check.grade.grade import grade_candidate
from autograd_check.grade.known_mistakes import rebound
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.recorded_mistakes import recorded
from autograd_check.grade.release import CARRIED, Released, recordings, release
from autograd_check.grade.session import Session
from autograd_check.grade.targets import folder_targets
from autograd_check.report.generated import released_text
from autograd_check.report.terminal import after_pass
from autograd_check.run.in_process import InProcess
from autograd_check.run.zygote import Zygote
from autograd_check.verify.finding import Source, Status
from autograd_check.verify.memo import Memo
from tests import support
from tests.toy import RIGHT, WRONG, make_course

SAMPLE = ("mlp", "catch_cross_entropy", "cosine_schedule", "dropout")
"""Lessons that borrow, and of the kinds that are least alike."""

FEW = 3

BUILT_ON = """
from lessons.u01_toys.double import double_backward, double_forward


def quadruple_forward(x):
    half, first = double_forward(x)
    out, second = double_forward(half)
    return out, (first, second)


def quadruple_backward(dout, cache):
    return double_backward(double_backward(dout, cache[1]), cache[0])
"""


def unpacked(made: Released, folder: Path) -> Course:
    """The course of a release as its students have it: their folder, and the package unpacked elsewhere."""
    with zipfile.ZipFile(made.wheel) as wheel:
        wheel.extractall(folder)
    return course_in(made.folder, folder / CARRIED)


def course_in(root: Path, source: Path) -> Course:
    return Course(Outline(root.resolve(), source.resolve(), read_lessons(root.resolve(), source.resolve())))


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.load(make_course(tmp_path_factory.mktemp("toys"), stubs=True))


@pytest.fixture(scope="module")
def made(toys: Course, tmp_path_factory: pytest.TempPathFactory) -> Released:
    return release(toys, tmp_path_factory.mktemp("release") / "handout", dict(recordings(toys.lessons)))


@pytest.fixture(scope="module")
def theirs(made: Released, tmp_path_factory: pytest.TempPathFactory) -> Course:
    return unpacked(made, tmp_path_factory.mktemp("package"))


def files(root: Path) -> dict[str, str]:
    kept = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name != "course.toml" and path.suffix != ".whl")
    return {path.relative_to(root).as_posix(): path.read_text() for path in kept}


def test_the_folder_is_that_of_start_and_the_package_lies_in_it(made: Released, toys: Course, tmp_path: Path) -> None:
    start(tmp_path / "mine", toys.source)
    assert files(made.folder) == files(tmp_path / "mine")
    assert 'course = "autograd_check"' in (made.folder / "course.toml").read_text()
    assert made.wheel.parent == made.folder
    assert made.wheel.name.endswith("+release-py3-none-any.whl")
    said = released_text(made)
    assert f"pip install ./{made.wheel.name}\n  autograd-check\n" in said
    assert f"{made.secrets} lines of them left out" in said


def test_the_package_is_a_wheel(made: Released) -> None:
    with zipfile.ZipFile(made.wheel) as wheel:
        names = wheel.namelist()
        (record,) = (name for name in names if name.endswith("/RECORD"))
        rows = [line.split(",") for line in wheel.read(record).decode().splitlines()]
        assert sorted(name for name, *_ in rows) == sorted(names)
        assert {name: int(size) for name, _, size in rows if size} == {
            name: len(wheel.read(name)) for name in names if name != record
        }
        metadata = wheel.read(record.replace("RECORD", "METADATA")).decode()
        assert "+release\n" in metadata
        assert "autograd-check = autograd_check.cli.app:main" in wheel.read(record.replace("RECORD", "entry_points.txt")).decode()
    assert "autograd_check/cli/app.py" in names
    assert f"{CARRIED}/solutions/u01_toys/double.npz" in names
    assert not any("__pycache__" in name for name in names)


@pytest.mark.parametrize("here", [True, False])
def test_the_same_file_gets_the_same_verdict(here: bool, toys: Course, theirs: Course, zygote: Zygote) -> None:
    sources = {"double": (RIGHT, WRONG, "", theirs.lesson("double").stub_source()), "quadruple": (BUILT_ON, "import lessons\n")}
    for name, texts in sources.items():
        for text in texts:
            with_references, without = (
                Session(course, None if here else zygote).grade_source(name, text, "a.py", lambda _: None)
                for course in (toys, theirs)
            )
            assert (without.status, without.score) == (with_references.status, with_references.score), text
    built = Session(theirs, None if here else zygote).grade_source("quadruple", BUILT_ON, "a.py", lambda _: None)
    assert (built.status, built.borrowed) == (Status.PASSED, ("double",))
    assert theirs.lesson("double").released
    assert not toys.lesson("double").released


def test_after_a_pass_there_is_no_reference_to_show(toys: Course, theirs: Course) -> None:
    assert "The reference" in after_pass(toys.outline.lesson("double")).plain
    assert after_pass(theirs.outline.lesson("double")).plain == ""


def test_there_is_no_reference_to_check(theirs: Course) -> None:
    with pytest.raises(SubmissionError, match=r"released without its references, so that of double cannot be checked\.$"):
        folder_targets(theirs.outline, ["double"], theirs.source / "solutions")


def test_there_is_no_reference_to_time(theirs: Course) -> None:
    says = r"no reference here to time .* how fast yours is stands under the verdict once it passes: autograd-check check double$"
    with pytest.raises(CourseError, match=says):
        list(bench_course(theirs, []))


def test_a_folder_that_is_not_empty_is_refused(toys: Course, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CourseError, match="is not empty. Name a folder that is new or empty"):
        release(toys, tmp_path, {})


def record_of(lesson: CourseLesson, functions: Mapping[str, Any], memo: Memo) -> LessonRecord:
    with InProcess.of(functions) as candidate:
        return LessonRecord(lesson.spec.name, "", tuple(grade_candidate(lesson, candidate, memo=memo)), lesson.spec.points)


def released_course(name: str, folder: Path) -> Course:
    """This course without its answers, in `folder`; of mistakes it knows those of one lesson."""
    for path, text in support.released().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for lesson in support.course().lessons:
        numbers = folder / lesson.numbers.relative_to(lesson.source)
        numbers.write_bytes(recorded(lesson) if lesson.spec.name == name else b"")
    return course_in(folder, folder)


def differences(whole: CourseLesson, released: CourseLesson) -> Iterator[str]:
    """The mistakes and variants that have another status or score without references, and mistakes that are named no more."""
    memos = Memo(), Memo()
    source, reference = whole.reference_source(), vars(support.course().run_file(whole.solution))
    cases = [(known.name, mistake_functions(whole.spec, known, source, str(whole.solution))) for known in whole.spec.mistakes]
    cases += [
        (one.name, {**{name: reference[name] for name in whole.functions()}, **one.functions}) for one in whole.spec.variants
    ]
    for name, functions in cases:
        mine, theirs = (record_of(one, functions, memo) for one, memo in zip((whole, released), memos, strict=True))
        if (mine.status, mine.score) != (theirs.status, theirs.score):
            yield f"{name}: {mine.status} {mine.score}, in a release {theirs.status} {theirs.score}"
        known_by = [
            {f.diagnosis.says for f in one.findings if f.diagnosis and f.diagnosis.source is Source.FINGERPRINT}
            for one in (mine, theirs)
        ]
        if not known_by[0] <= known_by[1]:
            yield f"{name}: not recognised by its numbers"


def test_mistakes_are_recognised_by_their_numbers_alone(tmp_path: Path) -> None:
    released = released_course("bce", tmp_path).lesson("bce")
    assert list(differences(support.lesson("bce"), released)) == []


def files_of(lesson: CourseLesson) -> Iterator[tuple[str, str]]:
    """Files that students may hand in, with what they are: the stub, the solution, and that with a few of the known mistakes."""
    source = lesson.reference_source()
    yield "stub", lesson.stub_source()
    yield "solution", source
    for known in [known for known in lesson.spec.mistakes if known.edit or known.added][:FEW]:
        yield known.name, edited_source(source, known, str(lesson.solution))


def graded(session: Session, name: str, source: str) -> dict[str, Any]:
    """What a file gets, with the causes that are named, where nothing else is handed in."""
    record = session.grade_source(name, source.partition("### BEGIN SPEC")[0], f"{name}.py", lambda _: None)
    causes = sorted({str(f.diagnosis.cause) for f in record.findings if f.status is Status.FAILED and f.diagnosis})
    return {"status": record.status, "score": record.score, "causes": causes}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.long) for name in support.names()]
)
def test_the_same_file_gets_the_same_with_and_without_references(name: str, tmp_path: Path, zygote: Zygote) -> None:
    whole, released = support.course(), released_course(name, tmp_path)
    assert [entry.name for entry in released.outline.lessons if not entry.released] == []
    mine, theirs = Session(whole, zygote), Session(released, zygote)
    files = dict(files_of(whole.lesson(name)))
    assert len(files) >= 4
    found = {what: (graded(mine, name, source), graded(theirs, name, source)) for what, source in files.items()}
    assert {what: pair for what, pair in found.items() if pair[0] != pair[1]} == {}
    assert found["solution"][1]["status"] is Status.PASSED
    assert found["stub"][1]["status"] is Status.TODO


@pytest.mark.long
@pytest.mark.parametrize("name", support.names())
def test_every_mistake_and_variant_gets_the_same_verdict(name: str, tmp_path: Path) -> None:
    assert list(differences(support.lesson(name), released_course(name, tmp_path).lesson(name))) == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "bce" else pytest.mark.long) for name in support.names()]
)
def test_a_mistake_that_nobody_knows_gets_the_same_status_and_score(name: str, tmp_path: Path) -> None:
    """Edits of the reference: with references they are recognised as such, in a release they are not, and fail all the same."""
    whole, released = support.lesson(name), released_course(name, tmp_path).lesson(name)
    source = whole.reference_source().partition("### BEGIN SPEC")[0]
    base: dict[str, Any] = {"__name__": name}
    with importable(whole.source):
        exec(compile(source, name, "exec"), base)
    edits = list(mutants(source, whole.spec.functions))
    memos = Memo(), Memo()
    for edit in random.Random(name).sample(edits, min(FEW, len(edits))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an edit may well divide by 0
            mine, theirs = (record_of(one, rebound(base, edit), memo) for one, memo in zip((whole, released), memos, strict=True))
        assert (theirs.status, theirs.score) == (mine.status, mine.score), edit.says


def trained(released: Course, **options: Any) -> dict[str, Any]:
    """The record of `train` with the layers of a released course, run as the command does."""
    with importable(released.source):
        command = released.run_file(released.source / "solutions" / "train.py").train_command
        return dict(command(root=released.root, output="json", **options))


def test_a_release_trains_as_well_as_the_whole_course(tmp_path: Path) -> None:
    released = released_course("linear", tmp_path)
    for ops in ("solutions", "lessons"):  # nothing is written there: every layer is borrowed
        assert trained(released, ops=ops, samples=100)["accuracy_mean"] > 0.9


def test_a_network_that_a_release_has_no_reference_for_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"^Training needs loss_and_gradients, .* no reference for\. Write it in lessons/"):
        trained(released_course("linear", tmp_path), network="broadcast_hunt", samples=100)


@pytest.mark.long
def test_what_is_recorded_is_numbers() -> None:
    for name in support.names():
        with np.load(io.BytesIO(recorded(support.lesson(name))), allow_pickle=False) as file:
            assert all(file[array].dtype.kind in "fciub" for array in file.files), name


@pytest.mark.long
def test_a_release_of_the_course_checks_hints_derives_and_trains(tmp_path: Path) -> None:
    course = support.course()
    made = release(course, tmp_path / "handout", dict(recordings(course.lessons)))
    theirs = unpacked(made, tmp_path / "package")
    secrets = secret_lines(course).keys()
    with zipfile.ZipFile(made.wheel) as wheel:
        texts = {name: wheel.read(name).decode(errors="replace") for name in wheel.namelist()}
    texts |= files(made.folder)
    assert [(name, found) for name, text in texts.items() if (found := leaks(text, secrets))] == []

    def program(*arguments: str) -> str:
        code = "import sys; from autograd_check.cli.app import main; sys.argv[0] = 'autograd-check'; main()"
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "package"), "COLUMNS": "80"}
        command = [sys.executable, "-c", code, *arguments]
        ran = subprocess.run(command, cwd=made.folder, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode in (0, 1), ran.stderr
        return ran.stdout + ran.stderr

    def write(name: str) -> None:
        source = course.lesson(name).reference_source().partition("### BEGIN SPEC")[0].replace("from solutions", "from lessons")
        theirs.lesson(name).stub.write_text(source)

    assert "0 of" in program()
    assert "hint 1 of 3" in program("hint", "linear")
    assert "dw[0,1] = x00*g01 + x10*g11" in program("derive", "linear", "--entry", "dw[0,1]")
    write("mlp")
    said = " ".join(program("check", "mlp").split())
    assert "mlp · passed · 15 of 15 points" in said
    assert "borrowed linear, relu" in said
    write("linear")
    stub = theirs.lesson("linear").stub
    stub.write_text(stub.read_text().replace("dw = x.T @ dout", "dw = x.T @ dout / x.shape[0]"))
    assert "a mean over the batch" in " ".join(program("check", "linear").split())
    write("linear")
    assert "The reference" not in program("check", "linear")
    for student, text in {
        "ada": theirs.lesson("linear").stub.read_text(),
        "ben": "def linear_forward(x, w, b):\n    return x\n",
    }.items():
        (tmp_path / "class" / student).mkdir(parents=True)
        (tmp_path / "class" / student / "linear.py").write_text(text)
    program("grade", str(tmp_path / "class"), "--out", str(tmp_path / "graded"), "--lessons", "linear")
    marks = (tmp_path / "graded" / "grades.csv").read_text()
    assert [line.split(",")[0] for line in marks.splitlines()[1:]] == ["ada", "ben"]
    assert "10" in marks.splitlines()[1]
    said = program("train", "--ops", "lessons", "--samples", "100")
    assert "borrowed from the reference: relu" in said
    assert "accuracy     0.9" in said
