from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.causes import Cause
from autograd_check.course.outline import LessonEntry, Outline
from autograd_check.grade.record import LessonRecord
from autograd_check.report.console import make_console
from autograd_check.report.rows import rows_of
from autograd_check.report.terminal import next_step, render, render_all, summary, to_text
from autograd_check.verify.finding import Diagnosis, Finding, Kind, Mismatch, Status

SAYS = (
    "Every entry of dw is exactly 1/4 of the right value, and this batch has 4 rows: you took a mean over the batch where the "
    "chain rule sums. The loss already divides by N."
)
FINDINGS = (
    Finding("value", "out", "4 rows", Status.PASSED, "matches the definition", probes=4),
    *(Finding("autograd", name, "4 rows", Status.PASSED, "matches autograd", Kind.GRADIENT, probes=4) for name in ("dx", "db")),
    Finding(
        "autograd",
        "dw",
        "4 rows",
        Status.FAILED,
        "12 of 12 entries differ, worst at [1, 2]: yours 0.2058, expected 0.8231",
        Kind.GRADIENT,
        Mismatch(12, 12, (1, 2), 0.2058, 0.8231, 0.75),
        Diagnosis(Cause.MEAN_FOR_SUM, SAYS),
    ),
    *(Finding("finite differences", name, "4 rows", Status.PASSED, "matches", Kind.GRADIENT, probes=2) for name in ("dx", "db")),
    Finding("finite differences", "dw", "", Status.SKIPPED, "not checked: dw already differs", Kind.GRADIENT),
    Finding("unmodified", "linear_backward", "4 rows", Status.PASSED, "as it should be", Kind.CONVENTION),
    Finding("keeps float32", "linear_backward", "4 rows", Status.PASSED, "as it should be", Kind.CONVENTION),
)


def record(*findings: Finding, lesson: str = "linear", file: str = "linear.py", **named: object) -> LessonRecord:
    return LessonRecord(lesson, file, findings, 10.0, **named)  # type: ignore[arg-type]  # names of the record's own fields


def test_a_failure_reads_as_the_design_shows_it() -> None:
    assert to_text(record(*FINDINGS)).rstrip("\n") == (
        "linear · failed · 7.75 of 10 points · linear.py\n"
        "  passed   out          matches the definition (4 probes)\n"
        "  passed   dx, db       match autograd and finite differences (4 probes)\n"
        "  passed   conventions  arguments unmodified, keeps float32\n"
        "  failed   dw           12 of 12 entries differ, worst at [1, 2]: yours 0.2058,\n"
        "                        expected 0.8231 (probe: 4 rows)\n"
        "                        Every entry of dw is exactly 1/4 of the right value, and\n"
        "                        this batch has 4 rows: you took a mean over the batch\n"
        "                        where the chain rule sums. The loss already divides by\n"
        "                        N."
    )


def test_only_the_first_failure_is_in_full() -> None:
    other = Finding(
        "shape", "dx", "p", Status.FAILED, "dx has shape (3,)", Kind.GRADIENT, None, Diagnosis(Cause.WRONG_SHAPE, "long")
    )
    rows = rows_of(record(FINDINGS[3], other))
    assert [row.paragraphs for row in rows] == [(f"{FINDINGS[3].message} (probe: 4 rows)", SAYS), ("dx has shape (3,)",)]
    assert [len(row.paragraphs) for row in rows_of(record(FINDINGS[3], other), verbose=True)] == [2, 2]


def test_findings_that_say_the_same_share_a_row() -> None:
    same = [Finding("runs", name, "p", Status.TODO, "double_forward not written yet") for name in ("out", "dx")]
    (row,) = rows_of(record(*same))
    assert (row.status, row.label, row.paragraphs) == ("todo", "out, dx", ("double_forward not written yet",))


def test_the_worst_comes_first_and_the_students_own_frames_follow() -> None:
    crash = Finding(
        "runs",
        "out",
        "",
        Status.FAILED,
        "f raised E",
        Kind.VALUE,
        None,
        Diagnosis(Cause.CRASHED, "f", {"trace": "  a.py\n    x\n"}),
    )
    unsure = Finding("finite differences", "dx", "", Status.INCONCLUSIVE, "cannot tell", Kind.GRADIENT)
    rows = rows_of(record(unsure, crash))
    assert [row.status for row in rows] == ["failed", "inconclusive"]
    assert rows[0].paragraphs == ("f raised E", "  a.py", "    x")
    assert to_text(record(unsure, crash)).splitlines()[1:] == [
        "  failed         out  f raised E",
        "                        a.py",
        "                          x",
        "  inconclusive   dx   cannot tell",
    ]


def test_a_borrowed_lesson_is_named() -> None:
    assert "borrowed   relu  used from the reference, because yours is not done yet" in to_text(
        record(FINDINGS[0], borrowed=("relu",))
    )


def test_what_the_code_printed_comes_last_its_first_lines_and_the_count_of_the_rest() -> None:
    printed = record(FINDINGS[0], printed="x is tensor([[1., 2.],\n        [3., 4.]])\n\x1b[2Jgone\r\tb\n")
    assert to_text(printed).splitlines()[2:] == [
        "  printed   x is tensor([[1., 2.],",
        "                    [3., 4.]])",
        "            [2Jgone",
        "                b",
    ]
    many = record(FINDINGS[0], printed="".join(f"line {n}\n" for n in range(20)))
    assert rows_of(many)[-1].paragraphs == (*(f"line {n}" for n in range(5)), "... 15 more lines (-v shows all)")
    assert rows_of(many, verbose=True)[-1].paragraphs == tuple(f"line {n}" for n in range(20))


def test_a_note_is_a_row_of_its_own() -> None:
    assert to_text(record(FINDINGS[0], notes=("mind the gap",))).endswith("  note     mind the gap\n")


def test_nothing_is_wider_than_80_columns() -> None:
    long = Finding("value", "dparams[12].weights", "p", Status.FAILED, "word " * 60, Kind.GRADIENT)
    text = to_text(record(*FINDINGS, long, lesson="a_lesson_with_a_rather_long_name"))
    assert max(map(len, text.splitlines())) <= 80
    assert "dparams[12].weights\n" in text


def test_many_lessons_are_brief_and_summed_up() -> None:
    done, todo = record(FINDINGS[0]), record(Finding("runs", "out", "", Status.TODO, "not written"), lesson="relu")
    text = render_all([done, todo, record(*FINDINGS)], Outline(Path(), Path(), ())).plain
    assert text.startswith(
        "linear · passed · 10 of 10 points · linear.py\nrelu · todo · 0 of 10 points · linear.py\nlinear · failed"
    )
    assert text.endswith("\n1 passed, 1 todo, 1 failed · 17.75 of 30 points\n")
    assert summary([done]) == "1 passed · 10 of 10 points"


def test_the_next_step_depends_on_the_outcome() -> None:
    entries = tuple(LessonEntry(name, "t", "u01_x", Path(), Path()) for name in ("linear", "relu"))
    outline = Outline(Path(), Path(), entries)
    assert next_step(record(FINDINGS[0]), outline) == "Next lesson: relu"
    assert next_step(record(FINDINGS[0], lesson="relu"), outline) == "That was the last lesson of the course."
    assert (
        next_step(record(FINDINGS[3]), outline)
        == "10 points to go before the next lesson, relu.\nA hint: autograd-check hint linear"
    )
    assert next_step(record(FINDINGS[3], lesson="relu"), outline) == "10 points to go.\nA hint: autograd-check hint relu"
    unwritten = record(Finding("runs", "out", "", Status.TODO, "not written"))
    assert next_step(unwritten, outline) == "A hint: autograd-check hint linear"
    assert next_step(record(Finding("checker", "out", "", Status.ERROR, "the lesson itself is at fault")), outline) == ""


def test_colour_is_for_terminals_and_respects_no_color(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    console = make_console()
    assert console.width == 80
    console.print(render(record(FINDINGS[0])))
    assert "\x1b[32m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    make_console().print(render(record(FINDINGS[0])))
    assert "\x1b[32m" not in capsys.readouterr().out
    monkeypatch.delenv("FORCE_COLOR")
    make_console().print(render(record(FINDINGS[0])))
    assert "\x1b" not in capsys.readouterr().out
