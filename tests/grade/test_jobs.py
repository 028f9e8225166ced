"""Keys: the same for the same work, another for anything that a verdict rests on; and no text that they cannot take."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_check.causes import Cause
from autograd_check.course.outline import read_outline
from autograd_check.grade.jobs import Keys, checker_version, graded
from autograd_check.grade.record import LessonRecord
from autograd_check.verify.finding import Diagnosis, Finding, Status
from tests.toy import RIGHT, WRONG, make_course

LATER = "from lessons.u01_toys.double import double_forward\n"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(read_outline(make_course(tmp_path_factory.mktemp("toy") / "course")))


def test_a_key_is_of_everything_that_a_verdict_rests_on(keys: Keys) -> None:
    base = keys.of("quadruple", LATER, {"double": RIGHT})
    assert base == keys.of("quadruple", LATER, {"double": RIGHT})
    others = [
        keys.of("double", LATER, {"double": RIGHT}),
        keys.of("quadruple", f"{LATER}# more\n", {"double": RIGHT}),
        keys.of("quadruple", LATER, {"double": WRONG}),
        keys.of("quadruple", LATER, {}),
        Keys(keys.outline, b"a secret key of the course").of("quadruple", LATER, {"double": RIGHT}),
    ]
    assert len({base, *others}) == 6


def test_a_specification_is_its_file_and_what_that_imports(keys: Keys) -> None:
    own = Keys(keys.outline)
    before = own.specification("double"), own.specification("quadruple")
    solution = keys.outline.lesson("double").solution
    text = solution.read_text()
    solution.write_text(f"{text}\n")
    changed = Keys(keys.outline)
    assert changed.specification("double") != before[0]
    assert changed.specification("quadruple") != before[1]  # its reference imports double
    solution.write_text(text)


def test_only_earlier_lessons_that_are_imported_count(keys: Keys) -> None:
    assert keys.beside("quadruple", {"double": RIGHT, "quadruple": LATER}) == {"double": RIGHT}
    assert keys.beside("quadruple", {"double": RIGHT, "quadruple": RIGHT}) == {}
    assert keys.beside("double", {"double": "from lessons.u01_toys import quadruple\n", "quadruple": LATER}) == {}


def test_seeds_differ_by_lesson_and_key_and_do_not_by_student(keys: Keys) -> None:
    secret, other = Keys(keys.outline, b"a" * 32), Keys(keys.outline, b"b" * 32)
    seeds = [secret.seed("double"), secret.seed("quadruple"), other.seed("double")]
    assert len(set(seeds)) == 3
    assert all(0 < seed < 1 << 40 for seed in seeds)
    assert secret.seed("double") == seeds[0]
    assert keys.seed("double") == 0  # as `check` draws


def test_the_version_names_the_code_and_torch() -> None:
    assert checker_version().startswith("0.1.0+")
    assert ", torch " in checker_version()


@given(st.text(max_size=300) | st.sampled_from(["(" * 5000, "-" * 200_000 + "1", "x = '\\d'", "\0", "\ud800"]))
def test_any_text_has_a_key(keys: Keys, text: str) -> None:
    assert len(keys.of("double", text, keys.beside("double", {"double": text}))) == 64


def test_a_record_with_numbers_that_json_lacks_is_json(tmp_path: Path) -> None:
    said = Diagnosis(Cause.SIGN, "says", {"ratio": float("nan"), "pair": (1, float("inf"))})
    record = LessonRecord("double", "double.py", (Finding("c", "dx", "", Status.FAILED, "\ud800", diagnosis=said),), 4)
    assert '"evidence": {"ratio": "nan", "pair": [1, "inf"]}' in graded("key", record, 0.1).record
    (tmp_path / "record").write_text(graded("key", record, 0.1).record, encoding="utf-8")
