"""Every forward/backward pair of the course against torch's autograd of its oracle: references and variants, no checker between."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from autograd_check.course.spec import Pair, Probe

UNIT = Path(__file__).parents[2] / "solutions" / "u02_network"
MODULES = [importlib.import_module(f"solutions.u02_network.{path.stem}") for path in sorted(UNIT.glob("*.py"))]
PAIRS = [
    (module, task) for module in MODULES if hasattr(module, "LESSON") for task in module.LESSON.tasks if isinstance(task, Pair)
]
STYLES = [
    pytest.param(module, task, functions, id=f"{module.LESSON.name}-{style}")
    for module, task in PAIRS
    for style, functions in [("reference", {}), *((v.name, v.functions) for v in module.LESSON.variants)]
]


def tensors(value: Any) -> list[torch.Tensor]:
    """All tensors of a nested value, in order."""
    return [value] if isinstance(value, torch.Tensor) else [t for part in value for t in tensors(part)]


def mapped(value: Any, change: Any) -> Any:
    """The same nesting with every tensor changed."""
    return change(value) if isinstance(value, torch.Tensor) else type(value)(mapped(part, change) for part in value)


def draw(probe: Probe, seed: int) -> list[Any]:
    generator = torch.Generator().manual_seed(seed)
    return [sample(generator) for sample in probe.primals.values()]


def expected(task: Pair, probe: Probe, primals: list[Any], dout: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    leaves = {name: mapped(value, lambda t: t.detach().clone()) for name, value in zip(probe.primals, primals, strict=True)}
    wanted = tensors([leaves[name] for name in task.wrt])
    for leaf in wanted:
        leaf.requires_grad_()
    out = task.oracle(*leaves.values(), **probe.hyper)
    return out.detach(), list(torch.autograd.grad(out, wanted, dout.expand_as(out)))


@pytest.mark.parametrize(("module", "task", "functions"), STYLES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_out_and_gradients_are_those_of_torch(module: ModuleType, task: Pair, functions: Any, dtype: torch.dtype) -> None:
    forward = functions.get(task.forward, getattr(module, task.forward))
    backward = functions.get(task.backward, getattr(module, task.backward))
    tolerance = 1e-11 if dtype is torch.float64 else 2e-5
    for probe in task.probes:
        if probe.convention and dtype is torch.float32:
            continue  # float32 cannot hold 1 - 1e-7: at that edge it cannot agree with anything
        for seed in range(3):
            primals = mapped(draw(probe, seed), lambda t: t.to(dtype))
            before = mapped(primals, torch.clone)
            out, cache = forward(*primals, **probe.hyper)
            dout = torch.randn(out.shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
            untouched = dout.clone()
            grads = tensors(backward(dout, cache))
            want, want_grads = expected(task, probe, primals, dout)
            assert [value.dtype for value in (out, *grads)] == [dtype] * (1 + len(want_grads)), probe.name
            assert [g.shape for g in grads] == [g.shape for g in want_grads], probe.name
            for got, right in zip([out, *grads], [want, *want_grads], strict=True):
                torch.testing.assert_close(got, right, rtol=tolerance, atol=tolerance * float(right.abs().max()), msg=probe.name)
            assert torch.equal(dout, untouched)
            assert all(torch.equal(a, b) for a, b in zip(tensors(primals), tensors(before), strict=True))


@pytest.mark.parametrize(("module", "task", "functions"), STYLES)
def test_shapes_that_would_broadcast_are_refused_by_name(module: ModuleType, task: Pair, functions: Any) -> None:
    forward = functions.get(task.forward, getattr(module, task.forward))
    for probe in task.refuses:
        primals = draw(probe, 0)
        for primal in primals:
            with pytest.raises(ValueError, match=re.escape(str(tuple(primal.shape)))):
                forward(*primals, **probe.hyper)


@pytest.mark.parametrize("module", [m for m in MODULES if hasattr(m, "LESSON")], ids=lambda m: m.LESSON.name)
def test_every_edit_of_a_mistake_finds_its_text_in_the_reference(module: ModuleType) -> None:
    reference = Path(str(module.__file__)).read_text(encoding="utf-8").split("### BEGIN SPEC")[0]
    lesson = module.LESSON
    assert min(len(lesson.mistakes), len(lesson.variants), len(lesson.hints)) >= 3
    for mistake in lesson.mistakes:
        assert mistake.functions or (mistake.edit and mistake.edit[0] in reference), mistake.name
