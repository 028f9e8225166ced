"""docs/gradcheck.md says what there is: every argument, every check, every example."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import torch

import autograd_check as ac

TEXT = (Path(__file__).parents[2] / "docs" / "gradcheck.md").read_text()


def test_every_argument_is_explained() -> None:
    for function in (ac.gradcheck, ac.gradgradcheck):
        names = set(inspect.signature(function).parameters) - {
            "func",
            "inputs",
            "raise_exception",
            "grad_outputs",
            "gen_non_contig_grad_outputs",
            "check_grad_dtypes",
        }
        assert [name for name in sorted(names) if f"`{name}" not in TEXT] == []


def test_the_first_example_runs() -> None:
    example = re.search(r"```python\n(import torch.*?)```", TEXT, re.S)
    assert example is not None
    scope: dict[str, Any] = {}
    exec(example.group(1), scope)
    assert scope["x"].requires_grad


def test_every_check_of_a_report_is_in_the_table() -> None:
    x = torch.rand(3, 2, dtype=torch.float64, requires_grad=True)
    asked: dict[str, Any] = {
        "check_forward_ad": True,
        "check_batched_grad": True,
        "check_batched_forward_grad": True,
        "check_grad_dtypes": True,
    }
    report = ac.gradcheck(lambda x: (x.exp(), x.sin()), x, **asked)
    checks = {finding.check for finding in report.findings}
    assert [check for check in sorted(checks) if check not in TEXT] == []
