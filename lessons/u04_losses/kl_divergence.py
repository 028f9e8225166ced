"""Kullback–Leibler divergence
===========================

How much does a model lose that believes p where the truth is the distribution q? The model gives logarithms,
logp (N, C); q (N, C) holds probabilities, a row for each sample:

    loss = 1/N Σ_n Σ_c q[n, c] (log q[n, c] − logp[n, c])      →  a 0-d tensor

Distillation, label smoothing and variational inference end in this loss. With one-hot q it is the
cross-entropy. Only one of the two terms contains logp: the other is what q costs by itself.

Conventions: 0 · log 0 = 0, its limit, so a class that never occurs costs nothing; `torch.xlogy(q, q)` is
q log q with that limit. N is the number of rows: classes are summed over. q gets no gradient. logp and q must
have one shape, else a `ValueError` names both shapes.
"""

import torch


def kl_divergence_forward(logp, q):
    """Σ q (log q − logp) / N.  logp, q (N, C) → loss (), cache."""
    raise NotImplementedError("kl_divergence_forward: Σ q (log q − logp) / N.  logp, q (N, C) → loss (), ca…")


def kl_divergence_backward(dout, cache):
    """dout () → dlogp (N, C)."""
    raise NotImplementedError("kl_divergence_backward: dout () → dlogp (N, C).")

# When it is written: autograd-check check kl_divergence
