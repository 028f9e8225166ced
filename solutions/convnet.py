"""The deep CNN on 8 × 8 digits, trained with hand-written gradients: conv–relu–pool–conv–relu–pool–linear.

A run is a sequence of epochs, and its whole state is a few tensors: parameters, the optimiser's states, the generator. So a run
that is killed goes on from the last epoch that was written, and ends with the very same bits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autograd_check.errors import CourseError
from solutions.ops import Ops

BATCH = 64
CHANNELS = (32, 64)
Params = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Settings:
    """What the inner folds choose: the largest learning rate, and by how many pixels digits are shifted at random."""

    lr: float
    shift: int
    epochs: int = 40
    weight_decay: float = 0.01


@dataclass
class Run:
    """Where a training stands after `epoch` epochs. `losses` has the mean loss of each."""

    epoch: int
    params: Params
    states: list[Any]
    generator: Tensor
    losses: list[float]


def start(ops: Ops, seed: int, classes: int = 10) -> Run:
    """The state before the first epoch: He initialisation, zero biases; float32."""
    generator = torch.Generator().manual_seed(seed)
    first, second = CHANNELS
    shapes = [(first, 1, 3, 3), (second, first, 3, 3), (second * 4, classes)]
    params = []
    for shape in shapes:
        fan_in = shape[0] if len(shape) == 2 else shape[1] * shape[2] * shape[3]
        fan_out = shape[-1] if len(shape) == 2 else shape[0]
        drawn = ops.he_normal(fan_in, fan_out, generator=generator).float()
        w = drawn if len(shape) == 2 else drawn.T.reshape(shape)
        params.append((w.contiguous(), torch.zeros(fan_out)))
    return Run(0, params, [None] * 6, generator.get_state(), [])


def loss_and_gradients(ops: Ops, x: Tensor, y: Tensor, params: Params) -> tuple[Tensor, Params]:
    """Cross-entropy of a batch and its gradient for every parameter. x (N, 1, 8, 8), y (N,) classes."""
    scores, cache = ops.cnn_forward(x, params)
    loss, loss_cache = ops.cross_entropy_forward(scores, y)
    dscores = ops.cross_entropy_backward(torch.ones_like(loss), loss_cache)
    return loss, ops.cnn_backward(dscores, cache)[1]


def shifted(x: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Every image moved by up to `most` pixels each way, what enters is 0. x (N, 1, H, W)."""
    if not most:
        return x
    N, _, H, W = x.shape
    frame = x.new_zeros(N, 1, H + 2 * most, W + 2 * most)
    frame[:, :, most : most + H, most : most + W] = x
    down, right = torch.randint(0, 2 * most + 1, (2, N), generator=generator)
    rows = down[:, None, None] + torch.arange(H)[:, None]
    columns = right[:, None, None] + torch.arange(W)
    return frame[torch.arange(N)[:, None, None], 0, rows, columns][:, None]


def epoch(ops: Ops, run: Run, x: Tensor, y: Tensor, settings: Settings) -> Run:
    """One pass over the data in random order, AdamW with a cosine schedule."""
    drawing = torch.Generator()
    drawing.set_state(run.generator)
    order = torch.randperm(len(y), generator=drawing)
    batches = order.split(BATCH)
    flat, states, losses = [part for pair in run.params for part in pair], list(run.states), []
    for number, batch in enumerate(batches):
        lr = ops.cosine_schedule(
            run.epoch * len(batches) + number,
            warmup=len(batches),
            total=settings.epochs * len(batches),
            base_lr=settings.lr,
        )
        params = list(zip(flat[::2], flat[1::2], strict=True))
        loss, dparams = loss_and_gradients(ops, shifted(x[batch], settings.shift, drawing), y[batch], params)
        grads = [part for pair in dparams for part in pair]
        steps = [
            ops.adamw_step(p, g, state, lr=float(lr), weight_decay=settings.weight_decay)
            for p, g, state in zip(flat, grads, states, strict=True)
        ]
        flat, states = [p for p, _ in steps], [state for _, state in steps]
        losses.append(float(loss))
    params = list(zip(flat[::2], flat[1::2], strict=True))
    return Run(run.epoch + 1, params, states, drawing.get_state(), [*run.losses, sum(losses) / len(losses)])


def train(
    ops: Ops,
    x: Tensor,
    y: Tensor,
    settings: Settings,
    seed: int,
    *,
    checkpoint: Path | None = None,
    after_epoch: Callable[[], None] = lambda: None,
) -> Run:
    """Train for `settings.epochs` epochs; with a `checkpoint` file go on from it if it is there, and write it after each one.

    Raises `CourseError` where the file is of another run.
    """
    run = start(ops, seed)
    if checkpoint is not None and checkpoint.is_file():
        run = read(checkpoint, settings, seed)
        for _ in range(run.epoch):
            after_epoch()
    with torch.no_grad():
        while run.epoch < settings.epochs:
            run = epoch(ops, run, x, y, settings)
            if checkpoint is not None:
                write(checkpoint, run, settings, seed)
            after_epoch()
    return run


def write(path: Path, run: Run, settings: Settings, seed: int) -> None:
    """Write a checkpoint so that at any moment the file is either the old one or the new one, whole."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as stream:
        torch.save({"settings": asdict(settings), "seed": seed, "run": asdict(run)}, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(part, path)


def read(path: Path, settings: Settings, seed: int) -> Run:
    """The run in a checkpoint (plain tensors and numbers only). Raises `CourseError` where it is of another run or no checkpoint."""
    try:
        found = torch.load(path, weights_only=True)
        same = (found["settings"], found["seed"]) == (asdict(settings), seed)
        run = Run(**found["run"])
    except Exception as error:
        raise CourseError(
            f"{path} is no checkpoint of this program ({type(error).__name__}). Remove it to start anew."
        ) from error
    if not same:
        raise CourseError(
            f"{path} belongs to a run with other settings or another seed. Remove it, or name another file."
        )
    return run


def predictions(ops: Ops, x: Tensor, params: Params) -> Tensor:
    """The class with the highest score for every image."""
    with torch.no_grad():
        scores: Tensor = ops.cnn_forward(x, params)[0]
    return scores.argmax(1)
