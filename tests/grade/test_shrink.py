"""The smallest input that shows a mistake: pasted into python it runs, and shows what the definition gives instead."""

from __future__ import annotations

import code
import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from autograd_check.course.load import Course, CourseLesson, importable
from autograd_check.course.mistakes import edited_source, functions_of, mistake_functions
from autograd_check.course.spec import Layer, Mistake, Stateful, Stochastic
from autograd_check.grade.grade import grade_candidate
from autograd_check.grade.session import Session
from autograd_check.grade.shrink import Smallest, shrink
from autograd_check.report.snippet import snippet
from autograd_check.report.terminal import to_text
from autograd_check.requests import StateAfter
from autograd_check.run.in_process import InProcess
from autograd_check.run.zygote import Zygote
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Status, root_subject
from tests import support
from tests.toy import RIGHT, make_course

QUICK = ("square", "linear", "sigmoid", "mae", "mlp", "layernorm", "batchnorm_running", "dropout", "maxpool2d")
OTHERS = [name for name in support.names() if name not in QUICK]
SEEN_ON_ONE_INPUT = {"value", "autograd", "finite", "shape"}


def pasted(text: str) -> str:
    """What a REPL says to these lines, one after the other."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), importable(support.ROOT):
        console = code.InteractiveConsole()
        waiting = [console.push(line) for line in text.splitlines()]
    assert not any(waiting)
    return said.getvalue()


def written_as(lesson: CourseLesson, known: Mistake, folder: Path) -> Path:
    """A file of somebody who makes a mistake."""
    number = lesson.spec.mistakes.index(known)
    source = edited_source(lesson.reference_source(), known, str(lesson.solution))
    if known.functions:
        source += (
            "\nfrom autograd_check.course.load import Course\n"
            f"globals().update(Course.load({str(support.ROOT)!r}).lesson({lesson.spec.name!r}).spec.mistakes[{number}].functions)\n"
        )
    path = folder / f"{lesson.spec.name}_{number}.py"
    path.write_text(source, encoding="utf-8")
    return path


def shown_wrong(found: Smallest, said: str) -> bool:
    """Whether both results were printed and differ, or the exception was raised that the lines announce."""
    if found.raises:
        return found.raises.partition(":")[0] in said and "the definition gives" in said
    mine, right = said.splitlines()
    what = found.subject + "".join(f"[{part!r}]" for part in found.path)
    both = mine.startswith(f"you return           {what} =") and right.startswith(f"the definition gives {what} =")
    return both and mine.partition("=")[2] != right.partition("=")[2]


def unshown(lesson: CourseLesson, folder: Path) -> Iterator[str]:
    """The mistakes that make a value or gradient of a layer wrong, and are not shown by their smallest input."""
    layers = [task for task in lesson.spec.tasks if isinstance(task, Layer | Stateful | Stochastic)]
    subjects = {task.forward for task in layers} | {f"d{name}" for task in layers for name in task.wrt}
    subjects |= {"out"} if layers == list(lesson.spec.tasks) else set()
    for known in lesson.spec.mistakes:
        functions = mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))
        with InProcess.of(functions) as candidate:
            found = shrink(candidate, lesson.spec)
        if found is None:
            with InProcess.of(functions) as candidate:
                failed = [f for f in grade_candidate(lesson, candidate) if f.status is Status.FAILED]
            if any(f.check in SEEN_ON_ONE_INPUT and root_subject(f.subject) in subjects for f in failed):
                yield f"{known.name}: nothing found"
            continue
        text = snippet(replace(found, file=written_as(lesson, known, folder)))
        if not shown_wrong(found, said := pasted(text)):
            yield f"{known.name}:\n{text}\n{said}"


@pytest.mark.parametrize("name", QUICK)
def test_every_mistake_of_a_layer_is_shown(name: str, tmp_path: Path) -> None:
    assert list(unshown(support.lesson(name), tmp_path)) == []


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_every_mistake_of_every_layer_is_shown(name: str, tmp_path: Path) -> None:
    assert list(unshown(support.lesson(name), tmp_path)) == []


@pytest.mark.parametrize("name", ["relu", "softmax", "batchnorm_running", "dropout", "maxpool2d", "mae"])
def test_nothing_is_shown_of_what_is_right(name: str) -> None:
    lesson = support.lesson(name)
    reference = functions_of(lesson.reference_source(), str(lesson.solution), lesson.spec.functions)
    for functions in [reference, *({**reference, **variant.functions} for variant in lesson.spec.variants)]:
        with InProcess.of(functions) as candidate:
            assert shrink(candidate, lesson.spec) is None


def smallest(name: str, mistake: str) -> Smallest:
    lesson = support.lesson(name)
    known = next(known for known in lesson.spec.mistakes if known.name == mistake)
    functions = mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))
    with InProcess.of(functions) as candidate:
        found = shrink(candidate, lesson.spec)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "mistake", "shapes"),
    [
        ("linear", "db averaged", {"x": (2, 1), "w": (1, 1), "b": (1,)}),
        ("linear", "dw transposed where it is square", {"x": (1, 2), "w": (2, 2), "b": (1,)}),
        ("relu", "mask forgotten", {"x": (1, 1)}),
        ("layernorm", "unbiased variance", {"x": (1, 2), "gamma": (2,), "beta": (2,)}),
    ],
)
def test_shapes_are_as_small_as_the_mistake_allows(name: str, mistake: str, shapes: dict[str, tuple[int, ...]]) -> None:
    found = smallest(name, mistake)
    assert {key: tuple(value.shape) for key, value in found.point.primals.items()} == shapes
    assert found.size == sum(torch.Size(shape).numel() for shape in shapes.values())
    numbers = [float(n) for value in found.point.primals.values() for n in value.reshape(-1)]
    assert set(numbers) <= {0.0, 1.0, -1.0, 2.0}


def test_a_network_keeps_the_layers_that_are_needed() -> None:
    lesson = support.lesson("mlp")
    for known in lesson.spec.mistakes:
        found = smallest("mlp", known.name)
        assert len(found.point.primals["params"]) <= 3, known.name
        assert found.size <= 20


def test_a_state_keeps_the_calls_that_are_needed() -> None:
    after = smallest("batchnorm_running", "running variance biased").point.primals["state"]
    assert isinstance(after, StateAfter)
    assert len(after.calls) == 1


def test_labels_stay_labels() -> None:
    lesson = support.lesson("bce_with_logits")
    for known in lesson.spec.mistakes[:4]:
        functions = mistake_functions(lesson.spec, known, lesson.reference_source(), str(lesson.solution))
        with InProcess.of(functions) as candidate:
            found = shrink(candidate, lesson.spec)
        if found is not None:
            assert set(found.point.primals["y"].reshape(-1).tolist()) <= {0.0, 1.0}


FORWARD = "def double_forward(x):\n    return x + x, x\n\n\n"


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.load(make_course(tmp_path_factory.mktemp("toys"), stubs=True))


@pytest.mark.parametrize(
    ("backward", "lines"),
    [
        ("return 3 * dout", ["dx = double_backward(dout, cache)", 'print("you return           dx =", dx.tolist())']),
        ("return (3 * dout,)", ["(dx,) = double_backward(dout, cache)", 'print("you return           dx =", dx.tolist())']),
        ("return 3 * dout, None", ["dx, *_ = double_backward(dout, cache)", 'print("you return           dx =", dx.tolist())']),
        ("return None", ["dx = double_backward(dout, cache)", 'print("you return           dx =", dx)']),
        ("return {}[0]", ["dx = double_backward(dout, cache)", "# raises KeyError: 0"]),
        (
            "return 2 * dout if cache.is_contiguous() else 3 * dout",
            ["x = torch.tensor([1.0, 2.0], dtype=torch.float64).repeat_interleave(2)[::2]"],
        ),
    ],
)
def test_whatever_a_backward_returns_the_lines_run(toys: Course, tmp_path: Path, backward: str, lines: list[str]) -> None:
    path = tmp_path / "anna.py"
    path.write_text(f"{FORWARD}def double_backward(dout, cache):\n    {backward}\n")
    with InProcess(path.read_text(), str(path), dependencies={}) as candidate:
        found = shrink(candidate, toys.lesson("double").spec)
    assert found is not None
    text = snippet(replace(found, file=path))
    assert f"mine = run_path({str(path)!r})" in text.splitlines()
    if "repeat_interleave" not in lines[0]:
        assert set(lines) <= set(text.splitlines())
    else:
        assert ").repeat_interleave(2)[::2]" in text
    assert shown_wrong(found, pasted(text))


def test_code_that_hangs_or_is_not_written_is_not_shrunk(toys: Course, zygote: Zygote) -> None:
    for body in ("raise NotImplementedError", "import os\n    os._exit(1)"):
        source = f"def double_forward(x):\n    {body}\n\n\ndef double_backward(dout, cache):\n    return dout\n"
        with zygote.candidate(source, "anna.py", dependencies={}) as candidate:
            assert shrink(candidate, toys.lesson("double").spec) is None


def test_tensors_are_written_shortly_and_exactly() -> None:
    def line(tensor: Tensor) -> str:
        task = support.lesson("square").spec.tasks[0]
        assert isinstance(task, Layer | Stateful | Stochastic)
        found = Smallest(task, Point({"x": tensor}, {"eps": float("inf")}), None, "out", (), tensor, tensor)
        text = snippet(found)
        assert 'square_forward(x, eps=float("inf"))' in text
        return next(line for line in text.splitlines() if line.startswith("x = ")).removeprefix("x = ")

    for tensor, written in [
        (torch.zeros(2, 3, dtype=torch.float64), "torch.zeros(2, 3, dtype=torch.float64)"),
        (torch.ones(5), "torch.ones(5, dtype=torch.float32)"),
        (torch.zeros(5, dtype=torch.int64), "torch.zeros(5, dtype=torch.int64)"),
        (torch.zeros(0, 3, dtype=torch.float64), "torch.zeros(0, 3, dtype=torch.float64)"),
        (torch.tensor([0, 2]), "torch.tensor([0, 2])"),
        (torch.tensor([True]), "torch.tensor([True])"),
        (torch.tensor([0.1, float("nan")], dtype=torch.float64), 'torch.tensor([0.1, float("nan")], dtype=torch.float64)'),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]).mT, "torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float32).mT"),
    ]:
        assert line(tensor) == written
        back = eval(written, {"torch": torch})  # the line itself
        assert back.dtype is tensor.dtype
        assert back.stride() == tensor.stride()
        assert torch.equal(back.nan_to_num(7), tensor.nan_to_num(7))


def test_a_record_holds_it_where_somebody_asks(toys: Course) -> None:
    path = toys.root / "lessons" / "u01_toys" / "double.py"
    stub = path.read_text()
    path.write_text(RIGHT.replace("dout + dout", "3 * dout"))
    try:
        session = Session(toys)
        plain = session.grade_file("double", path)
        record = session.with_smallest(plain, path)
        path.write_text(path.read_text() + "\n\ndef unused():\n    breakpoint()\n")
        assert session.with_smallest(plain, path).smallest is None  # it would stop at every call
    finally:
        path.write_text(stub)
    assert record.smallest is not None
    text = to_text(record, verbose=True)
    assert text.endswith(
        "\nThe smallest input that shows it, to paste into python in the course folder:\n\n"
        "import torch\n"
        "from lessons.u01_toys.double import double_forward, double_backward\n"
        "x = torch.tensor([0.0], dtype=torch.float64)\n"
        "out, cache = double_forward(x)\n"
        "dout = torch.tensor([1.0], dtype=torch.float64)\n"
        "dx = double_backward(dout, cache)\n"
        'print("you return           dx =", dx.tolist())\n'
        'print("the definition gives dx =", [2.0])\n'
    )
    needs = to_text(replace(record, borrowed=("linear", "relu")), verbose=True)
    assert "in the course folder (it needs your linear, relu as well): import torch" in " ".join(needs.split())


def test_nothing_is_shrunk_where_all_is_right_or_nothing_was_run(toys: Course, tmp_path: Path) -> None:
    path = tmp_path / "double.py"
    for source in (RIGHT, f"import os\n{RIGHT}", f"import {os.name}_nothing\n"):
        path.write_text(source)
        session = Session(toys)
        assert session.with_smallest(session.grade_file("double", path), path).smallest is None


@pytest.mark.parametrize(
    ("returned", "line"),
    [
        ("(1.5 * out, state), cache", "(out, state), cache = batchnorm_running_forward("),
        ("1.5 * out, {'state': state, 'cache': cache}", 'state = cache["state"]'),
        ("[1.5 * out, state, cache]", "out, state, cache = batchnorm_running_forward("),
    ],
)
def test_a_state_may_be_returned_in_any_form_that_a_check_takes(returned: str, line: str, tmp_path: Path) -> None:
    lesson = support.lesson("batchnorm_running")
    path = tmp_path / "mine.py"
    path.write_text(
        f"{lesson.reference_source().partition('### BEGIN SPEC')[0]}\nright = batchnorm_running_forward\n\n\n"
        "def batchnorm_running_forward(*given, **hyper):\n"
        f"    out, state, cache = right(*given, **hyper)\n    return {returned}\n"
    )
    with InProcess(path.read_text(), str(path)) as candidate:
        found = shrink(candidate, lesson.spec)
    assert found is not None
    lines = snippet(replace(found, file=path))
    assert line in lines
    assert shown_wrong(found, pasted(lines))
