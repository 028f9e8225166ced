"""The data of unit 2: 569 biopsies of the Wisconsin breast-cancer study (30 features, 63 % benign), as scikit-learn ships them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from autograd_check.errors import CourseError

try:
    from sklearn.datasets import load_breast_cancer
    from sklearn.model_selection import StratifiedKFold, train_test_split
except ModuleNotFoundError as error:
    raise CourseError("Training needs scikit-learn: pip install 'autograd_check[train]'.") from error

ALL = 569


@dataclass(frozen=True)
class Data:
    """Features x (N, 30) as measured, and y (N,), 1 for benign; float64."""

    x: Tensor
    y: Tensor

    @property
    def majority(self) -> float:
        """The accuracy of always naming the larger class."""
        share = float(self.y.mean())
        return max(share, 1 - share)

    def rows(self, index: Tensor) -> Data:
        """Some of the rows."""
        return Data(self.x[index], self.y[index])

    def standardised_by(self, other: Data) -> Data:
        """Every feature minus its mean, divided by its (biased) standard deviation, both taken from `other`."""
        return Data((self.x - other.x.mean(0)) / other.x.std(0, correction=0), self.y)


def breast_cancer(samples: int | None = None) -> Data:
    """All 569 samples, or a stratified subset of `samples`, always the same one.

    Raises:
        CourseError: there are not so many samples, or too few to have both classes in each of ten folds.
    """
    x, y = load_breast_cancer(return_X_y=True)
    if samples is not None and not 40 <= samples <= ALL:
        raise CourseError(
            f"--samples must be between 40 and {ALL}, not {samples}: every fold needs some of both classes."
        )
    if samples is not None and samples < ALL:
        # the other side of a stratified split must have a sample of each class, and 568 leaves one
        index = range(ALL)
        chosen = (
            train_test_split(index, train_size=samples, stratify=y, random_state=0)[0]
            if samples < ALL - 1
            else index[1:]
        )
        x, y = x[sorted(chosen)], y[sorted(chosen)]
    return Data(torch.from_numpy(x).to(torch.float64), torch.from_numpy(y).to(torch.float64))


def folds(data: Data, count: int) -> list[tuple[Data, Data]]:
    """Stratified (train, test) folds, shuffled with random state 0; both standardised by the training part alone."""
    splits = StratifiedKFold(count, shuffle=True, random_state=0).split(data.x.numpy(), data.y.numpy())
    pairs = [
        (data.rows(torch.from_numpy(train)), data.rows(torch.from_numpy(test))) for train, test in splits
    ]
    return [(train.standardised_by(train), test.standardised_by(train)) for train, test in pairs]
