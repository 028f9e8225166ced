"""`watch` as a person meets it: in a real pseudo-terminal, with saves, keys, and everything that goes wrong with files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from tests.cli.pseudo_terminal import PseudoTerminal
from tests.toy import RIGHT, WRONG, make_course

STUB = "lessons/u01_toys/double.py"
KEYS = "n next  h hint  l list  c check all  d derive  p plot  r reset  u undo  q quit"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_course(tmp_path_factory.mktemp("watched") / "course", stubs=True)


@pytest.fixture(scope="module")
def watching(root: Path) -> Iterator[PseudoTerminal]:
    """One `watch` for all tests of this module, as a person has one for all lessons: they run in order."""
    with PseudoTerminal(["watch"], root) as terminal:
        yield terminal


@pytest.fixture
def file(root: Path) -> Path:
    return root / STUB


def save_by_renaming(file: Path, text: str) -> None:
    draft = file.with_name("double.py~")
    draft.write_text(text)
    draft.replace(file)


def test_something_is_on_the_screen_before_anything_is_imported_and_then_the_next_lesson(watching: PseudoTerminal) -> None:
    watching.until("double · todo · 0 of 4 points · lessons/u01_toys/double.py")
    before_the_screen = watching.raw.partition(b"\x1b[?1049h")[0]
    assert [before_the_screen.find(said) >= 0 for said in (b"starting ...", b"importing torch ...", b"warming up ...")] == [
        True
    ] * 3
    watching.until("Write it in your editor and save; the verdict comes here. About 5 minutes.", "checked in", KEYS)
    assert "0 of 2 done" in watching.text
    assert b"\x1b]8;" in watching.raw  # the path is a link


def test_a_save_brings_the_first_thing_that_is_wrong(watching: PseudoTerminal, file: Path) -> None:
    file.write_text(WRONG)
    watching.until("double · failed", "Every entry of dx is exactly 1.5 times the right value.", "passed out")
    lines = watching.text.splitlines()
    assert lines[3].startswith("  failed   dx")
    assert next(number for number, line in enumerate(lines) if "passed" in line) > 4


def test_an_editor_may_save_by_renaming(watching: PseudoTerminal, file: Path) -> None:
    save_by_renaming(file, RIGHT)
    watching.until("double · passed · 4 of 4 points", "1 of 2 done", "Passed. n goes on to quadruple: Four times x.")
    watching.until("The reference, to compare with yours:", "out = 2 * x")
    save_by_renaming(file, "def double_forward(x:\n")
    watching.until("double · failed", "SyntaxError", "(lessons/u01_toys/double.py:1)")


def test_a_deleted_or_renamed_file_is_said_and_reset_brings_the_stub(watching: PseudoTerminal, file: Path) -> None:
    file.rename(file.with_name("mine.py"))
    watching.until("does not exist", "The file is gone; r puts the empty stub back.")
    watching.press("r")
    watching.until("Put the empty stub of double back? u undoes it.", "y yes  any other key: no")
    watching.press("x")
    watching.until("Nothing was changed.")
    watching.press("ry")
    watching.until("double · todo", "0 of 2 done")
    watching.press("u")
    watching.until("There is nothing to undo")
    file.write_text(WRONG)
    watching.until("double · failed", "1.8 points to go before the next lesson, quadruple.")
    watching.press("ry")
    watching.until("double · todo")
    watching.press("u")
    watching.until("double · failed")
    watching.press("ry")
    watching.until("double · todo")
    file.with_name("mine.py").unlink()


def test_what_was_printed_is_shown(watching: PseudoTerminal, file: Path) -> None:
    file.write_text(RIGHT.replace("    return x", "    print('x has', len(x))\n    return x"))
    watching.until("double · passed", "printed   x has 3")


def test_keys_give_hints_lists_and_closed_forms(watching: PseudoTerminal) -> None:
    watching.press("h")
    watching.until("double · hint 1 of 2", "How fast does 2 x grow?", "The next one: h")
    watching.press("h")
    watching.until("double · hint 2 of 2", "That was the last one.", "Closed forms of single entries: d")
    watching.press("d")
    watching.until("double at a tiny size: x (2,); g is the upstream gradient", "dx[1] = 2*g1")
    watching.press("l")
    watching.until("search: _", "> done  double", "  open  quadruple", "type to search  up/down  enter opens  esc back")
    watching.press("zz")
    watching.until("no lesson has this in its name, title or unit")
    watching.press("\x7f\x7f")
    watching.press("four")
    watching.until("search: four_", "> open  quadruple")
    watching.press("\r")
    watching.until("quadruple · todo")
    watching.press("p")
    watching.until("quadruple_forward and quadruple_backward are not both written yet, so there is nothing to draw.")
    watching.press("c")
    watching.until("1 passed, 1 todo · 4 of 14 points")


def test_a_save_of_another_lesson_turns_to_it_and_next_goes_on(watching: PseudoTerminal, file: Path) -> None:
    file.write_text(RIGHT)
    watching.until("double · passed")
    watching.press("p")
    watching.until("drawn: ")
    watching.press("n")
    watching.until("quadruple · todo")


def test_an_endless_loop_is_stopped_and_keys_work_meanwhile(watching: PseudoTerminal, file: Path) -> None:
    file.write_text(RIGHT.replace("    return x", "    while True: pass\n    return x"))
    watching.until("checking double ...")
    watching.press("l")
    watching.until("search: _")
    watching.press("\x1b")
    watching.until("double · failed", "it was stopped after 5 s; is there a loop that never ends?")


@pytest.mark.long
def test_a_verdict_is_forty_times_faster_than_a_new_pytest(watching: PseudoTerminal, file: Path, root: Path) -> None:
    pairs = []
    for _ in range(9):
        for text, said in ((WRONG, "double · failed"), (RIGHT, "double · passed")):
            started = perf_counter()
            file.write_text(text)
            watching.until(said)
            pairs.append(perf_counter() - started)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", STUB]
    started = perf_counter()
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    assert perf_counter() - started > 40 * median(pairs)


def test_quitting_gives_the_terminal_back(watching: PseudoTerminal) -> None:
    watching.press("q")
    assert watching.end() == 0
    after = watching.raw.rpartition(b"\x1b[?1049l")[2].decode()
    assert after.strip() in (
        "0 of 2 done. Go on with: autograd-check watch double",
        "1 of 2 done. Go on with: autograd-check watch double",
    )
    assert watching.raw.count(b"Traceback") == 0


def test_a_name_that_is_no_lesson_is_answered_at_once(root: Path) -> None:
    with PseudoTerminal(["watch", "dubble"], root, 60, 20) as terminal:
        assert terminal.end() == 2
        assert "There is no lesson named 'dubble'" in terminal.text


def test_without_a_terminal_every_verdict_is_printed_below_the_last(root: Path, file: Path) -> None:
    file.write_text(RIGHT)
    code = "import sys; from autograd_check.cli.app import main; sys.argv = ['autograd-check', 'watch', 'double']; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        said = program.stderr.readline()  # one line, since nobody's terminal is to be filled
        assert said == "Watching lessons/: the verdict on every file that is saved comes below. Ctrl-C stops.\n"
        assert program.stdout.readline().startswith("double · passed")
        file.write_text(WRONG)
        while not program.stdout.readline().startswith("double · failed"):
            pass
        program.terminate()
