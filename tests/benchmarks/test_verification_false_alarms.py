"""Correct functions that are hard for checkers: what ours says, and what torch's, JAX's and HIPS's formulas say.

JAX (`jax.test_util.check_vjp`): one random tangent, step 1/2048, tolerance 1e-5 (float32: 1e-2). HIPS autograd
(`autograd.test_util.check_vjp`): one random vector, step 1e-6, tolerance 1e-6. Written here as those formulas.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import families
import pytest
import torch
from torch import Generator, Tensor

import autograd_check as ac


def as_outputs(out: Any) -> list[Tensor]:
    return [o for o in (out if isinstance(out, (tuple, list)) else (out,)) if o.requires_grad]


def slopes(fn: Callable[..., Any], inputs: tuple[Any, ...], step: float, seed: int) -> tuple[float, float]:
    """⟨vjp(v), u⟩ and ⟨v, (f(x + u·step/2) − f(x − u·step/2)) / step⟩ for normal u and v."""
    g = Generator().manual_seed(seed)
    out = as_outputs(fn(*inputs))
    v = [torch.randn(o.shape, generator=g, dtype=o.dtype) for o in out]
    moving = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    u = {id(x): torch.randn(x.shape, generator=g, dtype=x.dtype) for x in moving}
    grads = torch.autograd.grad(out, moving, v)
    analytic = sum(float((d * u[id(x)]).sum()) for d, x in zip(grads, moving, strict=True))

    def at(t: float) -> list[Tensor]:
        return as_outputs(fn(*((x.detach() + t * u[id(x)]).requires_grad_() if id(x) in u else x for x in inputs)))

    pairs = zip(at(step / 2), at(-step / 2), v, strict=True)
    return analytic, sum(float(((a - b) / step * w).detach().sum()) for a, b, w in pairs)


def jax_alarm(fn: Callable[..., Any], inputs: tuple[Any, ...], seed: int) -> bool:
    analytic, numeric = slopes(fn, inputs, 1 / 2048, seed)
    tolerance = 1e-5 if inputs[0].dtype is torch.float64 else 1e-2
    return not abs(analytic - numeric) <= tolerance + tolerance * abs(numeric)


def hips_alarm(fn: Callable[..., Any], inputs: tuple[Any, ...], seed: int) -> bool:
    analytic, numeric = slopes(fn, inputs, 1e-6, seed)
    gap = abs(analytic - numeric)
    return not (gap < 1e-6 or gap / abs(analytic + numeric) < 1e-6)


def torch_alarm(fn: Callable[..., Any], inputs: tuple[Any, ...], seed: int) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        return not torch.autograd.gradcheck(fn, inputs, raise_exception=False)


@pytest.mark.benchmark(group="false alarms")
def test_false_alarms_beside_other_checkers(benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = range(20 if full else 1)
    others = {"torch": torch_alarm, "JAX": jax_alarm, "HIPS": hips_alarm}
    rows: dict[str, dict[str, int]] = {}

    def measure() -> None:
        for name in families.FAMILIES:
            row = dict.fromkeys(("failed", "inconclusive", *others), 0)
            for seed in seeds:
                fn, inputs = families.draw(name, seed)
                status = ac.gradcheck(fn, inputs, raise_exception=False, seed=seed).status
                row["failed"] += status.severity >= ac.Status.FAILED.severity
                row["inconclusive"] += status is ac.Status.INCONCLUSIVE
                if seed < 5:
                    for other, alarm in others.items():
                        row[other] += alarm(fn, inputs, seed)
            rows[name] = row

    benchmark.pedantic(measure, rounds=1)
    columns = ("failed", "inconclusive", *others)
    with capsys.disabled():
        print(f"\n{'correct function':36}" + "".join(f"{column:>14}" for column in columns))
        for name, row in rows.items():
            print(f"{name:36}" + "".join(f"{row[column] or '·':>14}" for column in columns))
        runs = len(rows) * len(seeds)
        print(f"{runs} runs of ours, up to five a family of the others; families on which a checker raised a false alarm:")
        print("  " + ", ".join(f"{other} {sum(row[other] > 0 for row in rows.values())} of {len(rows)}" for other in others))
    assert sum(row["failed"] for row in rows.values()) == 0
    assert sum(row["inconclusive"] for row in rows.values()) <= 0.03 * len(rows) * len(seeds)
