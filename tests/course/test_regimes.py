"""The words that authors import, and families of built-ins that really are torch's."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import autograd_check.course as vocabulary
from autograd_check.course import CONVOLUTIONS, DROPOUTS, NORMALISATIONS, POOLINGS, POOLS, Layer, distinct


@pytest.mark.parametrize("family", [CONVOLUTIONS, DROPOUTS, NORMALISATIONS, POOLINGS])
def test_families_are_built_ins_of_torch(family: tuple[str, ...]) -> None:
    homes = (torch, torch.nn.functional, torch.ops.aten)
    assert [name for name in family if not any(hasattr(home, name) for home in homes)] == []


def test_every_word_can_be_imported() -> None:
    assert [name for name in vocabulary.__all__ if getattr(vocabulary, name, None) is None] == []
    with pytest.raises(AttributeError, match="has no attribute 'layer'"):
        _ = vocabulary.layer


def test_a_course_at_a_glance_needs_no_torch() -> None:
    program = (
        "import sys; import autograd_check.course; from autograd_check.course import outline; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_pools_are_tried_with_pairs_apart() -> None:
    def oracle(x: torch.Tensor, *, kernel: int, stride: int) -> torch.Tensor:
        return torch.nn.functional.max_pool2d(x, kernel, stride)

    task = Layer(
        "x[N,C,H,W] -> out[N,C,H',W']",
        oracle=oracle,
        sizes={"N": 3, "C": 2, "H": 6, "W": 7},
        hyper={"kernel": 2, "stride": 2},
        draw={"x": distinct()},
        probes=POOLS,
    )
    assert [probe.hyper["kernel"] for probe in task.probes] == [2, 2, 2, 3, 3, 2, 1]
    assert [reach.name for reach in task.reaches] == ["pairs"]
    assert "C = H = W = 1" not in [probe.name for probe in task.probes]  # one pixel is smaller than the window
