"""Correct functions that are hard for checkers: what ours says, and what torch's, JAX's and HIPS autograd's say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

import autograd_check as ac
from tests.benchmarks import peers
from tests.benchmarks.functions import normal
from tests.benchmarks.peers import Answer
from tests.verify import families
from tests.verify.spoiling import spoiler

SEEDS_OF_PEERS = 5


@pytest.mark.benchmark(group="false alarms")
def test_false_alarms_beside_other_checkers(benchmark: Any, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = range(20 if full else 1)
    others = peers.installed()
    ours: dict[str, Counter[ac.Status]] = {name: Counter() for name in families.FAMILIES}
    theirs: dict[str, dict[str, Counter[Answer]]] = {name: {other: Counter() for other in others} for name in ours}

    def measure() -> None:
        for name in families.FAMILIES:
            for seed in seeds:
                fn, inputs = families.draw(name, seed)
                ours[name][ac.gradcheck(fn, inputs, raise_exception=False, seed=seed).status] += 1
                for other, peer in others.items():
                    if seed < SEEDS_OF_PEERS:
                        theirs[name][other][peers.ask(peer, fn, inputs, seed)] += 1

    benchmark.pedantic(measure, rounds=1)
    with capsys.disabled():
        columns = ("inconclusive", *others)
        print(f"\n{'correct function':36}" + "".join(f"{column:>14}" for column in columns))
        for name in ours:
            cells = (str(ours[name][ac.Status.INCONCLUSIVE] or "·"), *(cell(theirs[name][other]) for other in others))
            print(f"{name:36}" + "".join(f"{text:>14}" for text in cells))
        print(f"{len(ours) * len(seeds)} runs of ours, up to {SEEDS_OF_PEERS} a family of the others; of {len(ours)} families")
        for other in others:
            alarms, cannot = (sum(theirs[name][other][answer] > 0 for name in ours) for answer in (Answer.WRONG, Answer.CANNOT))
            print(f"  {other} raised a false alarm on {alarms} and could not judge {cannot}")
        missing = [other for other in peers.PEERS if other not in others]
        if missing:
            print(f"  {' and '.join(missing)}: not installed; {peers.INSTALL}")
    total = sum(ours.values(), Counter[ac.Status]())
    assert set(total) <= {ac.Status.PASSED, ac.Status.INCONCLUSIVE}
    assert total[ac.Status.INCONCLUSIVE] <= 0.03 * len(ours) * len(seeds)


def cell(answers: Counter[Answer]) -> str:
    """The number of alarms, a point for none."""
    return "cannot" if answers[Answer.CANNOT] else str(answers[Answer.WRONG] or "·")


def wrong_in_one_factor(x: Tensor, y: Tensor) -> Tensor:
    return (x * spoiler([3], 0.5)(y)).tanh()


def holomorphic(z: Tensor) -> Tensor:
    return z * z * (1 + 2j)


def with_conjugate(z: Tensor) -> Tensor:
    return z * z.conj() + 3j * z.conj()


@pytest.mark.parametrize("name", peers.PEERS)
def test_other_checkers_see_torchs_gradient(name: str) -> None:
    if name not in peers.installed():
        pytest.skip(f"not installed; {peers.INSTALL}")
    peer = peers.installed()[name]
    x, y, single = normal(3, 4), normal(3, 4, seed=1), normal(5).detach().float().requires_grad_()
    z = torch.complex(x.detach(), y.detach()).requires_grad_()
    assert peers.ask(peer, torch.mul, (x, y)) is Answer.RIGHT
    assert peers.ask(peer, torch.mul, (x, y.detach())) is Answer.RIGHT
    assert peers.ask(peer, holomorphic, (z,)) is Answer.RIGHT
    assert peers.ask(peer, with_conjugate, (z,)) is Answer.RIGHT
    assert peers.ask(peer, wrong_in_one_factor, (x, y)) is Answer.WRONG
    assert peers.ask(peer, lambda x: x.missing, (single,)) is Answer.CANNOT
