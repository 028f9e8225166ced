"""How fast the reference's passes are beside torch's own forward and autograd: medians of interleaved ratios, one thread.

Both sides are timed in turn, many times, so that whatever else the machine does meets both; the ratio is taken within each
turn. Tiny sizes measure the overhead of a call, not arithmetic: a lesson states the size that is worth timing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.spec import Layer, UpdateRule
from autograd_check.errors import CourseError
from autograd_check.verify.tensors import is_differentiable, leaves, map_tensors
from autograd_check.verify.trial import draw_cotangent

ROUNDS = 15
TURN = 0.002
"""Seconds that one side's turn takes at least: a call shorter than this is repeated."""

LAYER = ((64, 32), (32,))
"""Shapes of the parameters of which an optimiser's step is timed."""

Call = Callable[[], Any]


PARTS = ("forward", "backward")
"""Rows that are half of a whole: a lesson's target is for both passes together, or for a step."""


@dataclass(frozen=True)
class Duel:
    """Two calls that do the same at the same size: the reference's and torch's."""

    part: str
    size: str
    ours: Call
    theirs: Call


@dataclass(frozen=True)
class Timing:
    """One row: the median time of a call in seconds, its ratio to torch's (below 1: faster), quartiles of that ratio."""

    lesson: str
    part: str
    size: str
    dtype: str
    threads: int
    median_s: float
    ratio_to_torch: float
    quartiles: tuple[float, float]
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the ratio is within the lesson's target; None where it has none."""
        return None if self.target is None else self.ratio_to_torch <= self.target

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready record."""
        return {**vars(self), "quartiles": list(self.quartiles), "met": self.met}


def bench_course(course: Course, names: Sequence[str], rounds: int = ROUNDS) -> Iterator[Timing]:
    """Timings of the named lessons (all that have something to time, if none is named).

    Raises `CourseError` for a lesson that there is not, and in a course that was released without references.
    """
    for name in names or [entry.name for entry in course.outline.lessons]:
        if course.outline.lesson(name).released:
            raise CourseError(
                "There is no reference here to time beside torch, since this course was released without them; how fast yours is "
                f"stands under the verdict once it passes: autograd-check check {name}"
            )
        yield from bench_lesson(course, course.lesson(name), rounds)


def bench_lesson(course: Course, lesson: CourseLesson, rounds: int = ROUNDS) -> Iterator[Timing]:
    """Forward, backward and both of every layer of a lesson, a step of its optimiser, then its own benchmarks."""
    with one_thread():
        for duel in duels(course, lesson):
            whole = duel.part not in PARTS
            yield replace(_timing(lesson.spec.name, duel, rounds), target=lesson.spec.target if whole else None)


def duels(course: Course, lesson: CourseLesson) -> list[Duel]:
    """Everything of a lesson that can be timed, the reference's call beside torch's."""
    functions = vars(course.run_file(lesson.solution))
    layers = [duel for task in lesson.spec.tasks if isinstance(task, Layer) for duel in _passes(task, functions)]
    steps = [_step(task, functions) for task in lesson.spec.tasks if isinstance(task, UpdateRule)]
    own = [Duel(benchmark.part, benchmark.size, *benchmark.make(functions)) for benchmark in lesson.spec.benchmarks]
    return layers + steps + own


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread inside, as many as before afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def compare_calls(ours: Call, theirs: Call, rounds: int = ROUNDS) -> tuple[float, list[float]]:
    """The median time of `ours` in seconds, and the ratio ours / theirs of every round."""
    repeats = [_repeats(call) for call in (ours, theirs)]
    times: list[float] = []
    ratios: list[float] = []
    for _ in range(rounds):
        mine, other = (seconds_of(call, count) for call, count in zip((ours, theirs), repeats, strict=True))
        times.append(mine)
        ratios.append(mine / other)
    return statistics.median(times), ratios


def _repeats(call: Call) -> int:
    call()
    return max(1, round(TURN / max(seconds_of(call, 1), 1e-7)))


def seconds_of(call: Call, count: int) -> float:
    """Seconds of one call, over `count` of them in a row."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def _passes(task: Layer, functions: Mapping[str, Any]) -> list[Duel]:
    probe = task.bench or task.probes[0]
    primals = {key: sample(Generator().manual_seed(number)) for number, (key, sample) in enumerate(probe.primals.items())}
    hyper = dict(probe.hyper)
    forward, backward = functions[task.forward], functions[task.backward]
    out, cache = forward(*primals.values(), **hyper)
    dout = draw_cotangent(out, Generator().manual_seed(0))
    taped, inputs = on_tape(task, primals)
    outs, douts = leaves(task.oracle(*taped.values(), **hyper)), leaves(dout)
    size = sizes(primals)
    return [
        Duel(
            "forward",
            size,
            lambda: forward(*primals.values(), **hyper),
            lambda: task.oracle(*taped.values(), **hyper),
        ),
        Duel(
            "backward",
            size,
            lambda: backward(dout, cache),
            lambda: torch.autograd.grad(outs, inputs, douts, retain_graph=True),
        ),
        Duel(
            "forward+backward",
            size,
            lambda: backward(dout, forward(*primals.values(), **hyper)[1]),
            lambda: torch.autograd.grad(leaves(task.oracle(*taped.values(), **hyper)), inputs, douts),
        ),
    ]


def on_tape(task: Layer, primals: Mapping[str, Any]) -> tuple[dict[str, Any], list[Tensor]]:
    """The primals with those on a tape that get a gradient, and the tensors of these."""
    taped = {key: map_tensors(_taped, value) if key in task.wrt else value for key, value in primals.items()}
    return taped, [leaf for key in task.wrt for leaf in leaves(taped[key]) if is_differentiable(leaf)]


def _timing(name: str, duel: Duel, rounds: int) -> Timing:
    median, ratios = compare_calls(duel.ours, duel.theirs, rounds)
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    threads = torch.get_num_threads()
    return Timing(name, duel.part, duel.size, "float64", threads, median, statistics.median(ratios), (low, high))


def _step(task: UpdateRule, functions: Mapping[str, Any]) -> Duel:
    """One step of a layer's parameters from states that are filled, beside a step of torch's optimiser."""
    generator, step, hyper = Generator().manual_seed(0), functions[task.functions[0]], dict(task.hypers[0])
    params, grads = ([torch.randn(shape, generator=generator, dtype=torch.float64) for shape in LAYER] for _ in range(2))
    triples = [] if task.together else [(p, g, step(p, g, None, **hyper)[1]) for p, g in zip(params, grads, strict=True)]
    copies = [param.clone() for param in params]
    optimiser = task.twin(copies, **hyper)
    for copy, grad in zip(copies, grads, strict=True):
        copy.grad = grad.clone()

    def ours() -> Any:
        return step(params, grads, **hyper) if task.together else [step(*triple, **hyper) for triple in triples]

    return Duel("step", " and ".join(map(str, LAYER)), ours, optimiser.step)


def _taped(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_() if is_differentiable(tensor) else tensor


def sizes(primals: Mapping[str, Any]) -> str:
    """`x (4, 3), w (3, 5)`: the shapes of arguments, as tables show them."""
    return ", ".join(f"{name} {_shape(value)}" for name, value in primals.items())


def _shape(value: Any) -> str:
    return " ".join(str(tuple(leaf.shape)) if isinstance(leaf, Tensor) else str(leaf) for leaf in leaves(value))
