"""The sample of operators, and kernels of one precision, on CUDA; skipped with one line where there is none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import autograd_check as ac
from tests.kernel.one_precision import KERNELS
from tests.operators import Case
from tests.verify.test_operators import sample

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
NOISE = 1e-10
"""What adds in any order on a device may differ by so much."""


def there(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(there, value))
    return value.detach().cuda().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value


def test_right_gradients_pass() -> None:
    wrong = []
    for name, case in sample(torch.float64, seed=60):
        moved = Case(case.name, case.func, there(case.inputs), case.nondet, case.forward, case.second, case.forward_over_reverse)
        try:
            moved.func(*moved.inputs)
        except Exception:  # an operator that captured a tensor of the CPU
            continue
        report = ac.gradcheck(moved.func, moved.inputs, nondet_tol=max(case.nondet, NOISE), raise_exception=False)
        if not report:
            wrong.append(f"{name}: {report.to_text()}")
    assert wrong == []


def test_a_half_precision_matmul_against_its_definition() -> None:
    inputs = [there(x) for x in KERNELS["matmul in blocks"].inputs(torch.float16, 0)]
    assert ac.gradcheck(torch.matmul, inputs, oracle=torch.matmul)
