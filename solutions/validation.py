"""Cross-validation in two storeys: the outer folds measure, the inner ones, inside each training part, choose the settings.

An outer test fold is never looked at while the settings for it are chosen, so each fold may have settings of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean, stdev

from solutions.data import Data, folds
from solutions.network import Settings, accuracy, descend
from solutions.ops import Ops

LEARNING_RATES = (0.1, 0.3)
WEIGHT_DECAYS = (0.0, 0.003, 0.01, 0.02, 0.03, 0.05)
EPOCHS = (100, 200, 400)
INNER_FOLDS = 5
SELECTION_SEEDS = (0, 1, 2)
SEARCHES = len(LEARNING_RATES) * len(WEIGHT_DECAYS)

Advance = Callable[[], None]


@dataclass(frozen=True)
class Validation:
    """What cross-validation measured: an accuracy for each fold, and full-batch training steps a second."""

    accuracies: tuple[float, ...]
    steps_per_second: float

    @property
    def mean(self) -> float:
        """Mean accuracy of the folds."""
        return fmean(self.accuracies)

    @property
    def spread(self) -> float:
        """Standard deviation of the folds' accuracies."""
        return stdev(self.accuracies)


def cross_validate(
    ops: Ops, data: Data, settings: Sequence[Settings], seed: int, advance: Advance
) -> Validation:
    """Train and test once a fold, with that fold's settings; `advance` is called after each."""
    accuracies, seconds = [], 0.0
    for (train, test), chosen in zip(folds(data, len(settings)), settings, strict=True):
        start = time.perf_counter()
        *_, params = descend(ops, train, chosen, seed)
        seconds += time.perf_counter() - start
        accuracies.append(accuracy(ops, test, params))
        advance()
    return Validation(tuple(accuracies), sum(chosen.epochs for chosen in settings) / seconds)


def select(ops: Ops, data: Data, count: int, advance: Advance) -> list[Settings]:
    """The best settings for each of `count` outer folds; `advance` is called `count * SEARCHES` times."""
    return [select_inside(ops, train, advance) for train, _ in folds(data, count)]


def select_inside(ops: Ops, data: Data, advance: Advance) -> Settings:
    """The settings with the highest accuracy on inner folds, averaged over them and over seeds; the earlier one on a tie."""
    inner = folds(data, INNER_FOLDS)
    scores: dict[Settings, float] = {}
    for lr, weight_decay in product(LEARNING_RATES, WEIGHT_DECAYS):
        found: dict[int, list[float]] = {epochs: [] for epochs in EPOCHS}
        for (train, test), seed in product(inner, SELECTION_SEEDS):
            for epoch, params in enumerate(
                descend(ops, train, Settings(lr, weight_decay, max(EPOCHS)), seed), 1
            ):
                if epoch in found:
                    found[epoch].append(accuracy(ops, test, params))
        scores |= {Settings(lr, weight_decay, epochs): fmean(values) for epochs, values in found.items()}
        advance()
    return max(scores, key=lambda settings: scores[settings])
