"""The CNN on digits: in lockstep with torch, and the same bits after it was killed."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograd_check.errors import CourseError
from solutions.convnet import Settings, loss_and_gradients, read, shifted, start, train, write
from solutions.digits import digits, inner_split, outer_folds
from solutions.ops import CNN_FUNCTIONS, load_ops
from tests.support import ROOT
from tests.warm import script_in

SHORT = Settings(lr=2e-3, shift=1, epochs=3)


@pytest.fixture(scope="module")
def ops() -> Any:
    return load_ops("solutions", ROOT, CNN_FUNCTIONS)


@pytest.fixture(scope="module")
def few() -> tuple[Tensor, Tensor]:
    x, y = digits()
    return x[:128], y[:128]


class Twin(nn.Module):
    """The same network by torch."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


def test_a_hundred_steps_stay_with_torch(ops: Any, few: tuple[Tensor, Tensor]) -> None:
    """Float64, AdamW on the same batches: no parameter differs by more than 1e-9."""
    x, y = few[0].double(), few[1]
    params = [(w.double(), b.double()) for w, b in start(ops, 3).params]
    twin = Twin().double()
    with torch.no_grad():
        for layer, (w, b) in zip((0, 3, 7), params, strict=True):
            twin.layers.get_parameter(f"{layer}.weight").copy_(w.T if layer == 7 else w)
            twin.layers.get_parameter(f"{layer}.bias").copy_(b)
    optimiser = torch.optim.AdamW(twin.parameters(), lr=2e-3)
    states: list[Any] = [None] * 6
    for step in range(100):
        batch = slice(16 * (step % 8), 16 * (step % 8 + 1))
        optimiser.zero_grad()
        nn.functional.cross_entropy(twin(x[batch]), y[batch]).backward()
        optimiser.step()
        _, dparams = loss_and_gradients(ops, x[batch], y[batch], params)
        flat = [part for pair in params for part in pair]
        grads = [part for pair in dparams for part in pair]
        steps = [ops.adamw_step(p, g, s, lr=2e-3) for p, g, s in zip(flat, grads, states, strict=True)]
        flat, states = [p for p, _ in steps], [s for _, s in steps]
        params = list(zip(flat[::2], flat[1::2], strict=True))
    for layer, (w, b) in zip((0, 3, 7), params, strict=True):
        weight, bias = (twin.layers.get_parameter(f"{layer}.{name}") for name in ("weight", "bias"))
        assert float((w - (weight.T if layer == 7 else weight)).detach().abs().max()) <= 1e-9
        assert float((b - bias).detach().abs().max()) <= 1e-9


def test_training_learns(ops: Any, few: tuple[Tensor, Tensor]) -> None:
    run = train(ops, *few, SHORT, 0)
    assert run.epoch == 3
    assert run.losses[-1] < run.losses[0]


def test_a_run_goes_on_from_its_checkpoint_with_the_same_bits(ops: Any, few: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    whole = train(ops, *few, SHORT, 0)
    path = tmp_path / "run.pt"

    class Stopped(Exception):
        pass

    done = []

    def stop_after_two() -> None:
        done.append(1)
        if len(done) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        train(ops, *few, SHORT, 0, checkpoint=path, after_epoch=stop_after_two)
    resumed = train(ops, *few, SHORT, 0, checkpoint=path)
    assert resumed.losses == whole.losses
    assert all(
        torch.equal(a, b) for one, two in zip(whole.params, resumed.params, strict=True) for a, b in zip(one, two, strict=True)
    )


SCRIPT = """
import signal, sys, torch
from pathlib import Path
from solutions.convnet import Settings, train
from solutions.digits import digits
from solutions.ops import CNN_FUNCTIONS, load_ops
torch.set_num_threads(1)
x, y = digits()
def after_epoch():
    if sys.argv[3] == "killed":  # by a signal that nobody handles, in the midst of a later epoch
        signal.setitimer(signal.ITIMER_PROF, 0.05)
        sys.argv[3] = ""
ops, settings = load_ops("solutions", Path("."), CNN_FUNCTIONS), Settings(2e-3, 1, epochs=6)
run = train(ops, x[:256], y[:256], settings, 0, checkpoint=Path(sys.argv[1]), after_epoch=after_epoch)
torch.save(run.params, sys.argv[2])
"""


def test_a_sudden_end_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    def run(name: str, end: str = "") -> int:
        return script_in(ROOT, SCRIPT, str(tmp_path / f"{name}.pt"), str(tmp_path / f"{name}.params"), end).returncode

    assert run("whole") == 0
    assert run("killed", "killed") == -signal.SIGPROF
    assert (tmp_path / "killed.pt").exists()
    assert run("killed") == 0
    whole, resumed = (torch.load(tmp_path / f"{name}.params", weights_only=True) for name in ("whole", "killed"))
    assert all(torch.equal(a, b) for one, two in zip(whole, resumed, strict=True) for a, b in zip(one, two, strict=True))


def test_a_checkpoint_of_another_run_is_refused(ops: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    write(path, start(ops, 0), SHORT, 0)
    with pytest.raises(CourseError, match="belongs to a run with other settings or another seed"):
        read(path, SHORT, 1)
    path.write_bytes(b"rubbish")
    with pytest.raises(CourseError, match="is no checkpoint of this program"):
        read(path, SHORT, 0)


def test_shifts_move_images_and_fill_with_zeros() -> None:
    x = torch.arange(1.0, 65.0).reshape(1, 1, 8, 8)
    seen = {float(shifted(x, 1, torch.Generator().manual_seed(seed))[0, 0, 3, 3]) for seed in range(60)}
    centre = 8 * 3 + 3 + 1
    assert seen == {float(centre + 8 * down + right) for down in (-1, 0, 1) for right in (-1, 0, 1)}
    assert torch.equal(shifted(x, 0, torch.Generator()), x)


def test_inner_parts_never_contain_a_test_digit() -> None:
    _, y = digits()
    for fit, test in outer_folds(y):
        inner, hold = inner_split(fit, y, 0)
        assert not set(test.tolist()) & set(inner.tolist() + hold.tolist())
