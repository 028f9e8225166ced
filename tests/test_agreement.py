"""`gradcheck`, `check_vjp`, the grader, the command, pytest and the notebook say the same about the same files."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import autograd_check as ac
from autograd_check.cli.app import main
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.spec import Layer
from autograd_check.grade.grade import grade_lesson
from autograd_check.grade.kinds.base import draw
from autograd_check.notebook import check
from autograd_check.run.zygote import Zygote
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Finding, Kind, Status, root_subject, worst
from tests import warm

SOLUTIONS = Path(__file__).parent.parent / "solutions"

ADDITION = '''"""The sum of three vectors, where nan in the last counts as 0."""

import torch


def addition_forward(x, y, w):
    """out = x + y + w."""
    ### BEGIN SOLUTION
    return x + y + w.nan_to_num(), w
    ### END SOLUTION


def addition_backward(dout, w):
    """dout -> dx, dy."""
    ### BEGIN SOLUTION
    dx, dy = 1.0 * dout, 1.0 * dout
    return dx, dy
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import Layer, Lesson
from autograd_check.course.draws import Draw


def gaps(count):
    return torch.tensor([1.0, float("nan"), -2.0], dtype=torch.float64)[:count]


LESSON = Lesson(
    name="addition",
    title="Addition with gaps",
    source="arithmetic",
    tasks=(
        Layer(
            "x[N] y[N] w[N] -> out[N]",
            wrt=("x", "y"),
            oracle=lambda x, y, w: x + y + torch.where(w.isnan(), torch.zeros_like(w), w),
            sizes=dict(N=3),
            draw=dict(w=Draw(lambda shape, _: lambda generator: gaps(*shape))),
        ),
    ),
    hints=(),
)
### END SPEC
'''

RIGHT = {
    "linear": """import torch


def linear_forward(x, w, b):
    return x @ w + b, (x, w)


def linear_backward(dout, cache):
    x, w = cache
    dx, dw, db = dout @ w.T, x.T @ dout, dout.sum(0)
    return dx, dw, db
""",
    "square": """import torch


def square_forward(x):
    return x * x, 2 * x


def square_backward(dout, slope):
    dx = dout * slope
    return dx
""",
    "addition": ADDITION.partition("### BEGIN SPEC")[0],
}
UNITS = {"linear": "u02_network", "square": "u01_derivatives", "addition": "u01_toys"}


@dataclass(frozen=True)
class Case:
    """A submission: a lesson's right code with one line more before its backward returns.

    `gradients` are the expected statuses of its gradients, `conventions` the checks of conventions that it fails. `autograd`
    are other statuses that `gradcheck` is to give: autograd goes through one graph with every cotangent.
    """

    lesson: str
    name: str
    line: str
    gradients: Mapping[str, str]
    conventions: frozenset[str] = frozenset()
    autograd: Mapping[str, str] | None = None

    @property
    def source(self) -> str:
        """The file that is handed in."""
        return re.sub(r"\n    return (dx.*)\n", lambda found: f"\n    {self.line}\n    return {found[1]}\n", RIGHT[self.lesson])

    @property
    def folder(self) -> str:
        """The name of a course for this file alone."""
        return f"{self.lesson} {self.name}".replace(" ", "_")

    def __str__(self) -> str:
        return f"{self.lesson}: {self.name}"


def linear(name: str, line: str, dx: str, dw: str, db: str, *conventions: str) -> Case:
    return Case("linear", name, line, {"dx": dx, "dw": dw, "db": db}, frozenset(conventions))


def square(name: str, line: str, dx: str, *conventions: str, autograd: str | None = None) -> Case:
    return Case("square", name, line, {"dx": dx}, frozenset(conventions), {"dx": autograd} if autograd else None)


def addition(name: str, line: str, dx: str, dy: str, *conventions: str) -> Case:
    return Case("addition", name, line, {"dx": dx, "dy": dy}, frozenset(conventions))


P, F, T = "passed", "failed", "todo"
BIAS_AS_A_WEIGHT = "stacked = torch.cat([x, torch.ones_like(x[:, :1])], 1).T @ dout; dw, db = stacked[:-1], stacked[-1]"
LARGEST_COLUMN = "db = db * (1 + {} * (dout.abs().amax(0) == dout.abs().max()).to(db.dtype))"

CASES = (
    linear("right", "pass", P, P, P),
    linear("einsum", 'dw = torch.einsum("nd,nm->dm", x, dout)', P, P, P),
    linear("bias as a weight", BIAS_AS_A_WEIGHT, P, P, P),
    linear("dout is written and stays", "torch.mul(dout, 1.0, out=dout)", P, P, P),
    linear("wrong by a factor", "dw = dw / 4", P, F, P),
    linear("wrong by a little", "db = db * (1 + 1e-6)", P, P, F),
    linear("wrong sign", "dx = -dx", F, P, P),
    linear("upstream ignored", "dx = torch.ones_like(dout) @ w.T", F, P, P),
    linear("one row missing", "db = dout[1:].sum(0)", P, P, F),
    linear("zeros", "dw = torch.zeros_like(dw)", P, F, P),
    linear("dout is overwritten", "dout *= 2", P, P, P, "unmodified"),
    linear("crash", "1 / 0", F, F, F),
    linear("not written yet", "raise NotImplementedError", T, T, T),
    linear("by the size of dout", LARGEST_COLUMN.format(1e-2), P, P, F),
    square("right", "pass", P),
    square("wrong sign", "dx = -dx", F),
    square("wrong by a factor", "dx = dx / 2", F),
    square("by the size of dout", "dx = torch.where(dout.abs() == dout.abs().max(), 1.01 * dx, dx)", F),
    square("the cache is overwritten", "slope.zero_()", P, "cache reusable", autograd=F),
    addition("right", "pass", P, P),
    addition("dout itself", "dx = dout", P, P),
    addition("one gradient twice", "dy = dx", P, P, "aliasing"),
    addition("a nan is overwritten", "w.nan_to_num_()", P, P, "unmodified"),
    addition("wrong sign", "dy = -dy", P, F),
)

Statuses = Mapping[str, str]


@pytest.fixture(scope="module")
def courses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a course for every case: one lesson, and the case's file in `lessons`."""
    root = tmp_path_factory.mktemp("agreement")
    for case in CASES:
        unit, file = UNITS[case.lesson], f"{case.lesson}.py"
        for kind in ("solutions", "lessons"):
            (root / case.folder / kind / unit).mkdir(parents=True)
        solution = root / case.folder / "solutions" / unit / file
        if (SOLUTIONS / unit / file).exists():
            shutil.copy(SOLUTIONS / unit / file, solution)
            (root / case.folder / "solutions" / "variants" / unit).mkdir(parents=True)
            shutil.copy(SOLUTIONS / "variants" / unit / file, root / case.folder / "solutions" / "variants" / unit / file)
        else:
            solution.write_text(ADDITION)
        (root / case.folder / "lessons" / unit / file).write_text(case.source)
    return root


def file_of(courses: Path, case: Case) -> Path:
    """The case's file."""
    return courses / case.folder / "lessons" / UNITS[case.lesson] / f"{case.lesson}.py"


@pytest.fixture(scope="module")
def by_command(courses: Path, zygote: Zygote) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The findings that `autograd-check check --format json` prints, by the folder of a case: each file in a process of its own."""
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for lesson in UNITS:
        cases = [case for case in CASES if case.lesson == lesson]
        command = ["autograd-check", "check", lesson, "--format", "json", "--course", str(courses / cases[0].folder), "--file"]
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as printed:
            patch.setattr("autograd_check.grade.checking.Zygote", lambda: nullcontext(zygote))  # or each run would start one
            patch.setattr(sys, "argv", [*command, *(str(file_of(courses, case)) for case in cases)])
            with pytest.raises(SystemExit, match="1"):
                main()
        records = json.loads(printed.getvalue())["lessons"]
        found |= {case.folder: record["findings"] for case, record in zip(cases, records, strict=True)}
    return found


@pytest.fixture(scope="module")
def by_pytest(courses: Path) -> Mapping[str, Statuses]:
    """The outcomes of `pytest lessons`, by the folder of a case."""
    folders = [f"{case.folder}/lessons" for case in CASES]
    wide = {**os.environ, "COLUMNS": "200"}  # room for the reason of what is skipped
    output = warm.pytest_in(courses, "-v", *folders, environment=wide).stdout
    found: dict[str, dict[str, str]] = {case.folder: {} for case in CASES}
    words = {"PASSED": P, "FAILED": F, "SKIPPED (todo": T}
    for folder, subject, outcome in re.findall(r"^(\w+)/lessons/\S+::(\w+) (PASSED|FAILED|SKIPPED \(\w+)", output, re.MULTILINE):
        found[folder][subject] = words.get(outcome, outcome)
    return found


def statuses(findings: Iterable[Finding]) -> Statuses:
    """The worst status of every gradient."""
    groups: dict[str, list[Status]] = {}
    for finding in findings:
        if finding.kind is Kind.GRADIENT:
            groups.setdefault(root_subject(finding.subject), []).append(finding.status)
    return {subject: str(worst(group)) for subject, group in groups.items()}


def broken(findings: Iterable[Finding]) -> set[str]:
    """The checks of conventions that failed."""
    return {finding.check for finding in findings if finding.kind is Kind.CONVENTION and finding.status is Status.FAILED}


def read_back(found: Mapping[str, Any]) -> Finding:
    """A finding of the printed JSON."""
    return Finding(found["check"], found["subject"], found["probe"], Status(found["status"]), "", Kind(found["kind"]))


def pair_of(course: Course, case: Case) -> tuple[CourseLesson, Layer]:
    """The lesson of a case, and its one task."""
    lesson = course.lesson(case.lesson)
    (task,) = lesson.spec.tasks
    assert isinstance(task, Layer)
    return lesson, task


def checked_by_autograd(forward: Callable[..., Any], backward: Callable[..., Any], task: Layer, point: Point) -> Statuses:
    """What `gradcheck` says of a Function made of both, with its subjects named as the lesson names them."""

    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            out, ctx.saved = forward(*inputs)
            return out

        @staticmethod
        def backward(ctx: Any, dout: Tensor) -> Any:
            grads = backward(dout, ctx.saved)
            given = dict(zip(task.wrt, grads if isinstance(grads, (tuple, list)) else [grads], strict=True))
            return tuple(given.get(name) for name in point.primals)

    inputs = [value.clone().requires_grad_(name in task.wrt) for name, value in point.primals.items()]
    report = ac.gradcheck(Wrapped.apply, inputs, raise_exception=False)
    names = {f"dinput{place}": f"d{name}" for place, name in enumerate(point.primals)}
    return {names[subject]: status for subject, status in statuses(report.findings).items()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_ways_of_checking_agree(
    case: Case,
    courses: Path,
    by_command: Mapping[str, Sequence[Mapping[str, Any]]],
    by_pytest: Mapping[str, Statuses],
) -> None:
    path = file_of(courses, case)
    course = Course.load(courses / case.folder)
    lesson, task = pair_of(course, case)
    functions = runpy.run_path(str(path))
    forward, backward = functions[task.forward], functions[task.backward]
    point = draw(task.probes[0], 0)
    primals = tuple(point.primals.values())

    found = {
        "check_vjp": ac.check_vjp(forward, backward, primals, wrt=task.wrt).findings,
        "check_vjp with an oracle": ac.check_vjp(forward, backward, primals, wrt=task.wrt, oracle=task.oracle).findings,
        "grade_lesson": grade_lesson(lesson, case.source, str(path)).findings,
        "autograd-check check": tuple(map(read_back, by_command[case.folder])),
        "notebook": check(forward, backward, course=courses / case.folder).record.findings,
    }
    gradients = {name: statuses(findings) for name, findings in found.items()}
    gradients["pytest"] = {subject: by_pytest[case.folder].get(subject, "not run") for subject in case.gradients}
    assert gradients == dict.fromkeys(gradients, dict(case.gradients))
    assert checked_by_autograd(forward, backward, task, point) == dict(case.autograd or case.gradients)
    assert {name: broken(findings) for name, findings in found.items()} == dict.fromkeys(found, case.conventions)
