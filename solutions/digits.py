"""The 8 × 8 digits that scikit-learn ships: 1,797 images, ten classes; and the folds on which networks are measured."""

from __future__ import annotations

from autograd_check.errors import CourseError

try:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold, train_test_split
except ModuleNotFoundError as error:
    raise CourseError("Training needs scikit-learn: pip install 'autograd_check[train]'.") from error

import torch
from torch import Tensor

FOLDS = 5


def digits() -> tuple[Tensor, Tensor]:
    """Images (1797, 1, 8, 8) in [0, 1], float32, and classes (1797,)."""
    images, classes = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16, torch.tensor(classes)


def outer_folds(y: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Indices for training and testing of each fold: stratified, `shuffle=True, random_state=0`."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return [(torch.tensor(train), torch.tensor(test)) for train, test in splitter.split(y, y)]


def inner_split(train: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """A training part split once more, four to one and stratified: settings are chosen here, without the outer test fold."""
    fit, hold = train_test_split(train.numpy(), test_size=0.2, stratify=y[train], random_state=seed)
    return torch.tensor(fit), torch.tensor(hold)
