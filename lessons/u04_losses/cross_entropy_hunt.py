"""The cross-entropy hunt
======================

A batch that does not fit into memory is cut into pieces, and the gradients of the pieces are added up. The
optimiser never knows: `micro`, the number of rows in a piece, is a matter of memory and of nothing else. Or
so it should be.

This classifier trains in that way. Its loss falls, its accuracy rises, and with micro = 30 or 60 on 120 rows
all is well. Then one more row is recorded, the 121st, and the same training ends elsewhere, with another loss
for every micro. Large training libraries shipped this very mistake for years, because everything looked
alive.

One mistake was planted. The layer and the loss are those of your earlier lessons, and right. Find it and fix
it.

Shapes: x (N, D), y (N,) class indices, w (D, C), b (C,). The loss is the mean over all N rows of their
cross-entropy; dw and db are its gradients.
"""

import torch

from lessons.u02_network.linear import linear_backward, linear_forward
from lessons.u04_losses.cross_entropy import cross_entropy_backward, cross_entropy_forward


def loss_and_gradients(x, y, w, b, *, micro):
    """x (N, D), y (N,), w (D, C), b (C,), `micro` rows at a time → loss (), dw (D, C), db (C,)."""
    pieces = list(zip(x.split(micro), y.split(micro), strict=True))
    loss, dw, db = torch.zeros((), dtype=x.dtype), torch.zeros_like(w), torch.zeros_like(b)
    for rows, targets in pieces:
        share = torch.tensor(1 / len(pieces), dtype=x.dtype)
        scores, cache = linear_forward(rows, w, b)
        piece, loss_cache = cross_entropy_forward(scores, targets)
        dscores = cross_entropy_backward(share, loss_cache)
        _, more_dw, more_db = linear_backward(dscores, cache)
        loss, dw, db = loss + share * piece, dw + more_dw, db + more_db
    return loss, dw, db


def fit(x, y, *, classes, lr, epochs, micro):
    """x (N, D), y (N,) → w (D, C), b (C,), history [loss before each step, …]."""
    w = torch.zeros(x.shape[1], classes, dtype=x.dtype)
    b = torch.zeros(classes, dtype=x.dtype)
    history = []
    for _ in range(epochs):
        loss, dw, db = loss_and_gradients(x, y, w, b, micro=micro)
        w, b = w - lr * dw, b - lr * db
        history.append(float(loss))
    return w, b, history

# When it is written: autograd-check check cross_entropy_hunt
