"""The story of unit 2: the network that stayed at 62 %, before and after its shapes are fixed.

A notebook trained this network, and its prediction was (N, 1) where its target was (N,). Subtracting them gives N × N, without a
warning: every row is compared with every row's target. The loss is then lowest where the network says the same to everybody, the
share of benign samples, whatever the features; and the accuracy, an average over the N × N pairs as well, is that share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autograd_check.course.stubs import make_stub
from solutions.data import Data
from solutions.network import DIMS
from solutions.u02_network import broadcast_hunt
from solutions.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from solutions.u02_network.initialisation import he_normal
from solutions.u02_network.mlp import mlp_backward, mlp_forward
from solutions.u02_network.sgd import sgd_step

LEARNING_RATE = 0.5
EPOCHS = 500


@dataclass(frozen=True)
class Curves:
    """A training run as it describes itself epoch by epoch, and the accuracy that is true."""

    loss: tuple[float, ...]
    reported_accuracy: tuple[float, ...]
    true_accuracy: tuple[float, ...]

    def last(self) -> dict[str, float]:
        """The end of the run."""
        return {
            "loss": self.loss[-1],
            "reported_accuracy": self.reported_accuracy[-1],
            "true_accuracy": self.true_accuracy[-1],
        }


def before(data: Data, seed: int) -> Curves:
    """The run with the notebook's loss and accuracy. Nothing else differs from `after`."""
    hunt = _as_handed_out()
    return _run(data, seed, hunt["loss_and_gradients"], hunt["accuracy"])


def after(data: Data, seed: int) -> Curves:
    """The run with loss and accuracy fixed, from the same initial parameters, on the same data, with the same steps."""
    return _run(data, seed, _loss_and_gradients, _accuracy)


def _as_handed_out() -> dict[str, Any]:
    """The hunt of unit 2 as students get it, with the bug in it: where lessons are released that is all there is."""
    path = Path(broadcast_hunt.__file__)
    stub = make_stub(path.read_text(encoding="utf-8"), path).replace("from lessons.", "from solutions.")
    scope: dict[str, Any] = {"__name__": "handed_out"}
    exec(compile(stub, str(path), "exec"), scope)
    return scope


def _loss_and_gradients(x: Tensor, y: Tensor, params: Any) -> tuple[Tensor, Any]:
    z, cache = mlp_forward(x, params)
    loss, loss_cache = bce_with_logits_forward(z, y[:, None])
    return loss, mlp_backward(bce_with_logits_backward(torch.ones_like(loss), loss_cache), cache)[1]


def _accuracy(x: Tensor, y: Tensor, params: Any) -> Tensor:
    z = mlp_forward(x, params)[0][:, 0]
    return torch.eq(z > 0, y > 0.5).to(x.dtype).mean()


def _run(data: Data, seed: int, differentiate: Callable[..., Any], reported: Callable[..., Any]) -> Curves:
    generator = torch.Generator().manual_seed(seed)
    data = data.standardised_by(data)
    params = [
        (he_normal(i, o, generator=generator), torch.zeros(o, dtype=torch.float64))
        for i, o in zip(DIMS[:-1], DIMS[1:], strict=True)
    ]
    rows = []
    for _ in range(EPOCHS):
        loss, dparams = differentiate(data.x, data.y, params)
        params = [
            tuple(sgd_step(layer, dlayer, lr=LEARNING_RATE))
            for layer, dlayer in zip(params, dparams, strict=True)
        ]
        rows.append(
            [float(loss), float(reported(data.x, data.y, params)), float(_accuracy(data.x, data.y, params))]
        )
    loss_curve, reported_curve, true_curve = zip(*rows, strict=True)
    return Curves(loss_curve, reported_curve, true_curve)
