"""How good the CNN is on digits that it has not seen, and how its settings are chosen without looking at them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mean, pstdev

import torch
from torch import Tensor

from solutions.convnet import Params, Settings, predictions, train
from solutions.digits import digits, inner_split, outer_folds
from solutions.ops import Ops

GRID = tuple(
    Settings(lr=lr, shift=shift, epochs=60, weight_decay=decay)
    for lr, shift, decay in product((2e-3, 5e-3), (0, 1), (0.01, 0.1))
)


@dataclass(frozen=True)
class Fold:
    """One outer fold: accuracy on its test part, what was predicted there, and the network."""

    accuracy: float
    test: Tensor
    predicted: Tensor
    params: Params
    losses: list[float]


@dataclass(frozen=True)
class Result:
    """All outer folds."""

    folds: tuple[Fold, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return mean(fold.accuracy for fold in self.folds)

    @property
    def spread(self) -> float:
        """Standard deviation over the folds."""
        return pstdev(fold.accuracy for fold in self.folds)


def cross_validate(
    ops: Ops,
    chosen: tuple[Settings, ...],
    seed: int,
    *,
    checkpoints: Path | None = None,
    after_epoch: Callable[[], None] = lambda: None,
) -> Result:
    """Train on each outer fold with the settings chosen for it; one checkpoint file a fold in the folder `checkpoints`."""
    x, y = digits()
    folds = []
    for number, ((fit, test), settings) in enumerate(zip(outer_folds(y), chosen, strict=True)):
        path = None if checkpoints is None else checkpoints / f"fold{number + 1}.pt"
        run = train(ops, x[fit], y[fit], settings, seed + number, checkpoint=path, after_epoch=after_epoch)
        predicted = predictions(ops, x[test], run.params)
        accuracy = float((predicted == y[test]).double().mean())
        folds.append(Fold(accuracy, test, predicted, run.params, run.losses))
    return Result(tuple(folds))


def select(ops: Ops, seed: int, after_run: Callable[[], None] = lambda: None) -> tuple[Settings, ...]:
    """For every outer fold the settings of `GRID` that do best on a part held out of its training part."""
    x, y = digits()
    chosen = []
    for number, (train_part, _) in enumerate(outer_folds(y)):
        fit, hold = inner_split(train_part, y, seed + number)
        scores = []
        for settings in GRID:
            run = train(ops, x[fit], y[fit], settings, seed + 100 + number)
            scores.append(_score(ops, x[hold], y[hold], run.params))
            after_run()
        chosen.append(GRID[max(range(len(GRID)), key=lambda place: scores[place])])
    return tuple(chosen)


def _score(ops: Ops, x: Tensor, y: Tensor, params: Params) -> tuple[float, float]:
    """Accuracy, and at equal accuracy the smaller loss."""
    with torch.no_grad():
        scores = ops.cnn_forward(x, params)[0]
        loss = float(ops.cross_entropy_forward(scores, y)[0])
    return float((scores.argmax(1) == y).double().mean()), -loss
