"""Training end to end: what it reaches, what it prints, whose layers it uses, and what it says when it cannot run."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from statistics import fmean

import pytest
from matplotlib.figure import Figure

from autograd_check.course.stubs import make_stub
from autograd_check.errors import CourseError, SubmissionError
from solutions import seed_bug, validation
from solutions.chosen import CHOSEN
from solutions.data import breast_cancer
from solutions.figures import save_figure
from solutions.network import Settings
from solutions.ops import FUNCTIONS, load_ops
from solutions.train import main, one_thread, train_command
from solutions.validation import cross_validate, select_inside
from tests.support import ROOT

OPS = load_ops("solutions", ROOT)


def nothing() -> None:
    """Progress that nobody watches."""


def entropy(share: float) -> float:
    """The loss of always predicting the base rate."""
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def course(root: Path, **lessons: str) -> Path:
    """A course folder with the reference, stubs for every lesson, and these lessons written by a student."""
    shutil.copytree(ROOT / "solutions", root / "solutions", ignore=shutil.ignore_patterns("__pycache__"))
    unit = root / "lessons" / "u02_network"
    unit.mkdir(parents=True)
    for path in (ROOT / "solutions" / "u02_network").glob("*.py"):
        (unit / path.name).write_text(lessons.get(path.stem, make_stub(path.read_text("utf-8"), path)), "utf-8")
    return root


def test_ten_folds_reach_what_the_course_promises() -> None:
    with one_thread():
        assert cross_validate(OPS, breast_cancer(), CHOSEN[569], 0, nothing).mean >= 0.975


@pytest.mark.long
def test_ten_folds_reach_it_on_the_average_of_five_seeds() -> None:
    data = breast_cancer()
    with one_thread():
        assert fmean(cross_validate(OPS, data, CHOSEN[569], seed, nothing).mean for seed in range(5)) >= 0.977


def test_json_has_every_key_and_the_bug_is_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--samples", "144", "--format", "json"]) == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert list(record) == [
        "network", "folds", "accuracy_mean", "accuracy_min", "baseline_majority", "seed_bug", "steps_per_second"
    ]  # fmt: skip
    assert len(record["folds"]) == 10
    assert record["accuracy_mean"] == pytest.approx(fmean(record["folds"]))
    assert record["accuracy_min"] == min(record["folds"])
    assert record["accuracy_mean"] > 0.9 > record["baseline_majority"] == 90 / 144
    assert record["seed_bug"]["loss"] == pytest.approx(entropy(90 / 144), abs=1e-3)
    assert record["seed_bug"]["reported_accuracy"] == record["seed_bug"]["true_accuracy"] == 90 / 144
    assert record["steps_per_second"] > 0


def test_text_names_the_spread_and_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    record = train_command(samples=144)
    text = capsys.readouterr().out
    assert f"accuracy     {record['accuracy_mean']:.4f} ± " in text
    assert "baseline     0.6250 (always the larger class)" in text
    assert "(N, 1) against (N,)" in text
    assert "loss 0.66" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_whole_data_ends_at_the_entropy_of_the_base_rate() -> None:
    data = breast_cancer()
    with one_thread():
        before, after = seed_bug.before(data, 0), seed_bug.after(data, 0)
    assert before.loss[-1] == pytest.approx(entropy(357 / 569), abs=1e-4)
    assert round(before.loss[-1], 2) == 0.66
    assert before.last()["reported_accuracy"] == pytest.approx(357 / 569)
    assert before.last()["true_accuracy"] == pytest.approx(357 / 569)
    assert after.loss[-1] < 0.1
    assert after.last()["reported_accuracy"] == after.last()["true_accuracy"] > 0.96


def test_the_hunt_reports_over_96_percent_once_fixed(capsys: pytest.CaptureFixture[str]) -> None:
    record = train_command(network="broadcast_hunt")
    assert record["reported_accuracy"] == pytest.approx(record["true_accuracy"])
    assert record["true_accuracy"] > 0.96
    assert "always the larger class: 62.7%" in capsys.readouterr().out


def test_the_hunt_stays_at_62_percent_as_handed_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = train_command(network="broadcast_hunt", ops="lessons", samples=144, root=course(tmp_path))
    assert record["reported_accuracy"] == record["true_accuracy"] == 90 / 144
    assert record["loss"] == pytest.approx(entropy(90 / 144), abs=1e-3)
    assert "borrowed from the reference: mlp (mlp_forward and mlp_backward are not written yet)" in " ".join(
        capsys.readouterr().err.split()
    )


def test_a_students_own_layer_is_used_and_missing_ones_are_borrowed(tmp_path: Path) -> None:
    sources = {path.stem: path.read_text("utf-8") for path in (ROOT / "solutions" / "u02_network").glob("*.py")}
    mlp = sources["mlp"].split("### BEGIN SPEC")[0].replace("from solutions.", "from lessons.")
    relu = "def relu_forward(x):\n    return x * 0 + 7, x\n\n\ndef relu_backward(dout, cache):\n    return dout * 0\n"
    ops = load_ops("lessons", course(tmp_path, mlp=mlp, relu=relu, sgd="def sgd_step(:"))
    assert set(ops.borrowed) == set(FUNCTIONS) - {"mlp", "relu", "broadcast_hunt"}
    assert ops.borrowed["sgd"].startswith("it is not valid Python")
    assert ops.borrowed["initialisation"] == "he_normal is not written yet"
    x = breast_cancer(144).x
    params = [(x[:30, :2] * 0, x[0, :2] * 0), (x[:2, :1] * 0 + 1, x[0, :1] * 0)]
    # the student's relu inside the student's mlp, on the borrowed linear layer
    assert ops.mlp_forward(x, params)[0].unique().tolist() == [14.0]


def test_a_lesson_that_cannot_be_run_is_borrowed_with_its_reason(tmp_path: Path) -> None:
    sgd = "import no_such_module\n\n\ndef sgd_step(params, grads, *, lr):\n    return params\n"
    root = course(tmp_path, sgd=sgd)
    (root / "lessons" / "u02_network" / "mlp.py").unlink()
    ops = load_ops("lessons", root)
    assert ops.borrowed["sgd"] == "it cannot be run (ModuleNotFoundError: No module named 'no_such_module')"
    assert ops.borrowed["mlp"] == "there is no such file"


def test_a_layer_that_raises_is_said_in_a_sentence(tmp_path: Path) -> None:
    sgd = "def sgd_step(params, grads, *, lr):\n    return params[99]\n"
    with pytest.raises(SubmissionError, match=r"IndexError: list index out of range\. `autograd-check check` finds"):
        train_command(ops="lessons", samples=144, root=course(tmp_path, sgd=sgd))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"network": "rnn"}, "There is no network 'rnn'; there are mlp, cnn, broadcast_hunt."),
        ({"ops": "mine"}, "--ops must be solutions or lessons, not 'mine'."),
        ({"samples": 12}, "--samples must be between 40 and 569, not 12"),
        ({"plot": Path("curves.gif")}, r"--plot writes .png or .svg, not '.gif' \(curves.gif\)."),
        ({"plot": Path("no/such/folder/c.png")}, "--plot cannot write no/such/folder/c.png: there is no folder no/such/folder."),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(CourseError, match=says):
        train_command(**arguments)  # type: ignore[arg-type]


def test_the_program_says_so_on_stderr_and_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--samples", "12"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("solutions.train: --samples must be between 40 and 569, not 12")
    assert printed.out == ""


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    train_command(samples=144, plot=tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_is_written_in_the_form_that_its_name_asks_for_or_says_where_it_cannot_be(tmp_path: Path) -> None:
    save_figure(Figure(), tmp_path / "curves.SVG")
    assert (tmp_path / "curves.SVG").read_bytes().startswith(b"<?xml")
    (tmp_path / "c.png").mkdir()
    with pytest.raises(CourseError, match="could not be written to .*c.png: Is a directory"):
        save_figure(Figure(), tmp_path / "c.png")


def test_inner_folds_choose_what_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "LEARNING_RATES", (0.0, 0.3))
    monkeypatch.setattr(validation, "WEIGHT_DECAYS", (0.03, 5.0))
    monkeypatch.setattr(validation, "EPOCHS", (1, 40))
    calls: list[int] = []
    chosen = select_inside(OPS, breast_cancer(144), lambda: calls.append(1))
    assert chosen == Settings(lr=0.3, weight_decay=0.03, epochs=40)
    assert len(calls) == 4


def test_the_stored_choices_are_of_the_grid() -> None:
    assert set(CHOSEN) == {144, 569}
    for settings in CHOSEN.values():
        assert len(settings) == 10
        for one in settings:
            assert one.lr in validation.LEARNING_RATES
            assert one.weight_decay in validation.WEIGHT_DECAYS
            assert one.epochs in validation.EPOCHS
