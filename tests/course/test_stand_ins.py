"""Functions in place of a reference give what the reference gives, for every lesson that has an oracle."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator

from autograd_check.course.spec import Checker, Initialiser, Layer, Plain, Stateful, UpdateRule
from autograd_check.course.stand_ins import stand_ins
from autograd_check.grade.kinds.base import draw, float64
from autograd_check.verify.tensors import leaves, map_tensors
from autograd_check.verify.trial import draw_cotangent
from tests import support


def same(one: Any, other: Any) -> bool:
    pairs = zip(leaves(one), leaves(other), strict=True)
    return all(torch.allclose(float64(a), float64(b), rtol=1e-9, atol=1e-11) for a, b in pairs)


def lessons_with(kind: type) -> list[str]:
    return [name for name in support.names() if any(isinstance(task, kind) for task in support.lesson(name).spec.tasks)]


def both(name: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    lesson = support.lesson(name)
    return lesson.spec.tasks, dict(stand_ins(lesson.spec)), vars(support.course().run_file(lesson.solution))


def test_pairs() -> None:
    for name in lessons_with(Layer):
        tasks, mine, theirs = both(name)
        for task in (task for task in tasks if isinstance(task, Layer)):
            point = draw(task.probes[0], 0)
            results = []
            for functions in (mine, theirs):
                copies = map_tensors(torch.clone, dict(point.primals))
                out, cache = functions[task.forward](*copies.values(), **point.hyper)
                dout = draw_cotangent(out, Generator().manual_seed(1))
                results.append((out, functions[task.backward](dout, cache)))
            assert same(*results), name


def test_primals_may_be_named() -> None:
    mine = stand_ins(support.lesson("linear").spec)
    x, w, b = (torch.ones(shape, dtype=torch.float64) for shape in ((2, 3), (3, 4), (4,)))
    out, cache = mine["linear_forward"](x, w, b=b)
    assert out.tolist() == [[4.0] * 4] * 2
    assert [grad.shape for grad in mine["linear_backward"](out, cache)] == [x.shape, w.shape, b.shape]


def test_gradients_are_the_same_in_inference_mode_where_networks_are_trained() -> None:
    mine = stand_ins(support.lesson("linear").spec)
    with torch.inference_mode():
        x, w, b = (torch.ones(shape, dtype=torch.float64) for shape in ((2, 3), (3, 4), (4,)))
        out, cache = mine["linear_forward"](x, w, b)
        grads = mine["linear_backward"](out, cache)
    assert [set(grad.flatten().tolist()) for grad in grads] == [{16.0}, {8.0}, {8.0}]


def test_layers_with_a_state() -> None:
    for name in lessons_with(Stateful):
        tasks, mine, theirs = both(name)
        for task in (task for task in tasks if isinstance(task, Stateful)):
            results = []
            for functions in (mine, theirs):
                state, found = None, []
                for number, call in enumerate(task.runs[0].calls):
                    point = draw(call, number)
                    out, state, cache = functions[task.forward](*point.primals.values(), state, **point.hyper)
                    found.append((out, functions[task.backward](torch.ones_like(out), cache)))
                results.append(found)
            assert same(*results), name


def test_optimisers() -> None:
    for name in lessons_with(UpdateRule):
        tasks, mine, theirs = both(name)
        rules = [task for task in tasks if isinstance(task, UpdateRule)]
        for task, sign in ((task, sign) for task in rules for sign in (1, -1)):  # who steps uphill borrows as well
            hyper = {**task.hypers[0], "lr": sign * task.hypers[0]["lr"]}
            results = []
            for functions in (mine, theirs):
                generator, step = Generator().manual_seed(0), functions[task.functions[0]]
                param, state = torch.randn(3, generator=generator, dtype=torch.float64), None
                for _ in range(4):
                    grad = torch.randn(3, generator=generator, dtype=torch.float64)
                    if task.together:
                        (param,) = step([param], [grad], **hyper)
                    else:
                        param, state = step(param, grad, state, **hyper)
                results.append(param)
            assert same(*results), name


def test_initial_tensors_are_those_of_the_reference_for_the_same_generator() -> None:
    for name in lessons_with(Initialiser):
        tasks, mine, theirs = both(name)
        for task in tasks:
            made = [functions[task.name](4, 3, generator=Generator().manual_seed(3)) for functions in (mine, theirs)]
            assert same(*made), task.name


def test_plain_functions_and_checkers() -> None:
    for name in lessons_with(Plain):
        tasks, mine, theirs = both(name)
        for task in (task for task in tasks if isinstance(task, Plain)):
            point = draw(task.probes[0], 0)
            assert same(*(functions[task.name](*point.primals.values(), **point.hyper) for functions in (mine, theirs))), name
    for name in lessons_with(Checker):
        tasks, mine, theirs = both(name)
        x = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
        assert same(*(functions[tasks[0].name](lambda y: y.sin().sum(), x, h=1e-4) for functions in (mine, theirs)))


@pytest.mark.parametrize("name", ["training", "dropout"])
def test_what_has_no_oracle_has_no_stand_in(name: str) -> None:
    assert stand_ins(support.lesson(name).spec) == {}
