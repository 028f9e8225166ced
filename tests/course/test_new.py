"""New courses and lessons: files that can be filled in, names that can be names, and nothing overwritten."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograd_check.course.new import new_course, new_lesson
from autograd_check.course.outline import find_course, read_outline
from autograd_check.course.stubs import WIDTH
from autograd_check.errors import CourseError
from tests.cli.running import Program


def course(folder: Path) -> Path:
    new_course(folder / "course")
    return folder / "course"


def test_a_new_course_states_its_vocabulary_and_nothing_else(tmp_path: Path) -> None:
    root = course(tmp_path)
    assert (root / "solutions" / "about.toml").read_text() == "vocabulary = 1\n"
    assert read_outline(root).lessons == ()
    with pytest.raises(CourseError, match="is there already. Name a folder that is new or empty"):
        new_course(root)


def test_a_clone_without_lessons_is_a_course(tmp_path: Path) -> None:
    root = course(tmp_path)
    assert (root / "lessons" / ".gitkeep").read_text() == ""  # git keeps no empty folder
    (root / "lessons" / ".gitkeep").unlink()
    (root / "lessons").rmdir()
    assert find_course(root / "solutions") == root
    new_lesson(read_outline(root), "softsign")
    assert [entry.name for entry in read_outline(root).lessons] == ["softsign"]


@pytest.mark.parametrize(
    ("shapes", "signature", "sizes"),
    [
        ("x[...] -> out[...]", "def f_forward(x):", "sizes=dict(rest=(5, 3))"),
        ("x[N,D] w[D] -> out[N]", "def f_forward(x, w):", "sizes=dict(N=5, D=3)"),
        ("scores[N,C] y[N]<C -> loss[]", "def f_forward(scores, y):", "sizes=dict(N=5, C=3)"),
        ("x[...,D] g[D] -> out[...,D]", "def f_forward(x, g):", "sizes=dict(rest=(5, 3), D=4)"),
    ],
)
def test_a_new_lesson_is_python_with_places_to_fill_in(shapes: str, signature: str, sizes: str, tmp_path: Path) -> None:
    root = course(tmp_path)
    lesson, variants = new_lesson(read_outline(root), "f", shapes=shapes)
    text = lesson.read_text()
    assert lesson == root / "solutions" / "u01_first" / "f.py"
    assert variants == root / "solutions" / "variants" / "u01_first" / "f.py"
    ast.parse(text)
    ast.parse(variants.read_text())
    assert signature in text
    assert sizes in text
    assert text.count("TODO") > 10
    assert len(text.splitlines()) < 85
    assert max(map(len, text.splitlines())) <= WIDTH
    assert [entry.name for entry in read_outline(root).lessons] == ["f"]


def test_the_docstrings_have_the_shapes(tmp_path: Path) -> None:
    lesson, _ = new_lesson(read_outline(course(tmp_path)), "gated", shapes="x[N,4H] params s[] y[N]<2 -> out[N]")
    text = lesson.read_text()
    assert '"""TODO: the equation.  x (N, 4H), params, s (), y (N,) → out (N,), cache."""' in text
    assert '"""dout (N,) → dx (N, 4H), dparams, ds ()."""' in text


@pytest.mark.parametrize(
    ("name", "unit", "shapes", "says"),
    [
        (
            "Softsign",
            None,
            "x[N] -> out[N]",
            "'Softsign' cannot name a lesson: write small letters, digits and _, as in leaky_relu",
        ),
        ("softsign", "first", "x[N] -> out[N]", "'first' cannot name a unit: write a number and a word, as in u01_first"),
        ("softsign", None, "x[N]", r"'x\[N\]': expected PRIMALS -> OUTPUTS"),
        ("taken", None, "x[N] -> out[N]", "There is a lesson named 'taken' already: solutions/u02_more/taken.py"),
    ],
)
def test_what_cannot_be_a_lesson_is_refused(name: str, unit: str | None, shapes: str, says: str, tmp_path: Path) -> None:
    root = course(tmp_path)
    new_lesson(read_outline(root), "taken", "u02_more")
    with pytest.raises(CourseError, match=says):
        new_lesson(read_outline(root), name, unit, shapes)


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    root = course(tmp_path)
    path = root / "solutions" / "u01_first" / "mine.py"
    path.parent.mkdir()
    path.write_text("# no lesson yet\n")
    with pytest.raises(CourseError, match="mine.py is there already"):
        new_lesson(read_outline(root), "mine")
    assert path.read_text() == "# no lesson yet\n"


def test_from_nothing_to_what_is_to_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = Program(monkeypatch, capsys)
    monkeypatch.chdir(tmp_path)
    made = program("new-course", "mine")
    assert (made.code, made.out.splitlines()[-1]) == (0, "Its first lesson: autograd-check new-lesson NAME --course mine")
    monkeypatch.chdir(tmp_path / "mine")
    begun = program("new-lesson", "softsign")
    assert (begun.code, begun.out.splitlines()[-1]) == (0, "Fill in every TODO, then: autograd-check test-lesson softsign")
    tried = program("test-lesson", "softsign")
    assert tried.code == 1
    assert "solutions/u01_first/softsign.py:4: still to be written: TODO: the idea in a few lines" in tried.out
    last = tried.out.splitlines()[-2:]
    assert last[0].startswith("softsign is not fit to be handed out yet: ")
    assert last[1] == "The solution, the mistakes and the variants are tried once these are done."
    unknown = program("test-lesson", "softmax")
    assert (unknown.code, "There is no lesson named 'softmax'" in unknown.err) == (2, True)
    refused = program("stubs")
    assert (refused.code, "softsign.py" in refused.err) == (2, True)
