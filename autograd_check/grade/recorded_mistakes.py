"""Known mistakes as numbers: what each yields at every point where a lesson's gradients are compared, kept in a file.

A released course holds neither the reference nor its mistakes. Where a student's numbers are those of a mistake it is
recognised all the same, on the probes of the usual seed; on others it is named by its relation to the right answer, or not.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course.load import CourseLesson, importable
from autograd_check.course.spec import UpdateRule
from autograd_check.course.stand_ins import stand_ins
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.grade.kinds.update_rule import FEW
from autograd_check.grade.known_mistakes import Known, LessonFingerprints, both_passes
from autograd_check.grade.trajectory import run
from autograd_check.requests import StateAfter
from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.memo import Memo
from autograd_check.verify.tensors import as_tensors, map_tensors

Call = tuple[Mapping[str, Any], Mapping[str, Any], Any]
"""Primals, hyperparameters and the cotangent of a call that mistakes are compared at."""

SAME = 1e-9
"""Marks of one point differ by less, relative, on any machine: random numbers are the same to the last bits only."""

INDEX = "index"


def recorded(lesson: CourseLesson) -> bytes:
    """The file (`.npz`) of a lesson's mistakes; made from the reference, to be read without it."""
    arrays: dict[str, Any] = {}
    places: list[dict[str, Any]] = []
    for task in lesson.spec.tasks:
        if not isinstance(task, Known) or not lesson.spec.mistakes:
            continue
        fingerprints = LessonFingerprints(lesson, task)
        for call in _calls(lesson, task):
            text, marks = _marks(call)
            for known, fingerprint in enumerate(fingerprints):
                for subject, value in fingerprint.gradients(*call).items():
                    if isinstance(value, Tensor):
                        arrays[f"{len(places)}/{known}/{subject}"] = value.detach().numpy()
            places.append({"task": task.functions[0], "text": text, "marks": marks})
    tasks = [task for task in lesson.spec.tasks if isinstance(task, Known)]
    names = [
        {"name": known.name, "cause": str(known.cause), "both": any(both_passes(lesson, task, known) for task in tasks)}
        for known in lesson.spec.mistakes
    ]
    index = json.dumps({"mistakes": names, "places": places}, ensure_ascii=False).encode()
    file = io.BytesIO()
    arrays[INDEX] = np.frombuffer(index, dtype=np.uint8)
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@dataclass(frozen=True)
class _Listening(Context):
    """A context that explains nothing and remembers where an explanation was asked for."""

    calls: list[Call] = field(default_factory=list)

    def explain(self, evidence: Sequence[Evidence], points: Mapping[str, Point] | None = None) -> Diagnosis | None:
        """Remember the calls that the evidence comes from."""
        for piece in evidence:
            if not any(piece.primals is primals for primals, _, _ in self.calls):
                self.calls.append((piece.primals, piece.hyper, piece.dout))
        return None


def _calls(lesson: CourseLesson, task: Known) -> Iterator[Call]:
    """The calls at which the code of students will be compared with mistakes, in order."""
    functions = dict(stand_ins(lesson.spec))
    if isinstance(task, UpdateRule):
        with InProcess.of(functions) as candidate:
            runs = [run(task, candidate, hyper, number, Memo()) for number, hyper in enumerate(task.hypers)]
        for one in runs:
            yield {"starts": one.starts, "gradients": one.gradients[:FEW]}, one.hyper, None
        for one in runs:
            yield one.primals, one.hyper, None
        return
    judged = task.functions[-1]
    functions[judged] = _spoilt(functions[judged])
    with importable(lesson.source), InProcess.of(functions) as candidate:
        context = _Listening(candidate, seed=0)
        check_task(task, context)
    yield from context.calls


def _spoilt(function: Callable[..., Any]) -> Callable[..., Any]:
    """A backward (or a plain function) whose answer is wrong in every entry, in no way that has a name."""

    def wrong(*args: Any, **hyper: Any) -> Any:
        generator = Generator().manual_seed(0)

        def noisy(tensor: Tensor) -> Tensor:
            noise = torch.rand(tensor.shape, generator=generator, dtype=torch.float64).to(tensor.dtype)
            return tensor + (1 + tensor.abs()) * (1 + noise)

        return map_tensors(noisy, as_tensors(function(*args, **hyper)))

    return wrong


class RecordedFingerprints(Sequence[Fingerprint]):
    """The mistakes of one task of a released lesson; the file is read when the first one is looked at."""

    def __init__(self, numbers: Path, task: Known) -> None:
        self._numbers = numbers
        self._task = task.functions[0]

    def __len__(self) -> int:
        """How many mistakes are known."""
        return len(self._all)

    def __getitem__(self, index: Any) -> Any:
        """The fingerprint of one mistake (or of several)."""
        return self._all[index]

    @cached_property
    def _all(self) -> list[Fingerprint]:
        with np.load(self._numbers, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        index = json.loads(arrays.pop(INDEX).tobytes())
        places = {number: place for number, place in enumerate(index["places"]) if place["task"] == self._task}
        kept: dict[tuple[int, int], dict[str, Tensor]] = {}
        for name, array in arrays.items():
            place, known, subject = name.split("/", 2)
            kept.setdefault((int(place), int(known)), {})[subject] = torch.from_numpy(array.copy())

        def yields(known: int) -> Callable[..., Mapping[str, Any]]:
            def gradients(*call: Any) -> Mapping[str, Any]:
                place = _place(places, _marks(call))
                return kept.get((place, known), {})

            return gradients

        mistakes = enumerate(index["mistakes"])
        return [
            Fingerprint(one["name"], Cause.named(one["cause"]), yields(number), one.get("both", False))
            for number, one in mistakes
        ]


def _place(places: Mapping[int, Mapping[str, Any]], wanted: tuple[str, list[float]]) -> int:
    """The number of the place with these marks; -1 where there is none."""
    text, marks = wanted
    mine = np.array(marks)
    for number, place in places.items():
        if place["text"] == text and np.allclose(place["marks"], mine, rtol=SAME, atol=SAME, equal_nan=True):
            return number
    return -1


def _marks(call: Any) -> tuple[str, list[float]]:
    """A call in few numbers: one for each tensor, and everything else as text. Another call has others."""
    texts: list[str] = []
    marks: list[float] = []

    def note(value: Any) -> None:
        if isinstance(value, Tensor):
            flat = value.detach().reshape(-1).to(torch.float64)
            texts.append(f"{tuple(value.shape)} {value.dtype}")
            marks.append(float(torch.nan_to_num(flat) @ torch.arange(1, len(flat) + 1, dtype=torch.float64).cos()))
        elif isinstance(value, Mapping):
            for key, item in value.items():
                texts.append(str(key))
                note(item)
        elif isinstance(value, (list, tuple)):
            texts.append(f"{len(value)} of")
            for item in value:
                note(item)
        elif isinstance(value, Point):
            note([value.primals, value.hyper])
        elif isinstance(value, StateAfter):
            note([value.calls, value.others])
        else:
            texts.append(repr(value))

    note(list(call))
    return "; ".join(texts), marks
