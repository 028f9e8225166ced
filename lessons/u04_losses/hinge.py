"""Multiclass hinge loss
=====================

The support vector machine's loss: the score of the right class should beat every other score by a margin of
1, and what is missing is paid for. For scores s (N, C) and the class indices y (N,):

    loss = 1/N Σ_n Σ_{c ≠ y_n} max(0, m_nc)      m_nc = s[n, c] − s[n, y_n] + 1      →  a 0-d tensor

A term is there where its margin is broken, m > 0, and then it contains two scores: that of a wrong class and
that of the right one. The right score of a row occurs in the terms of all its wrong classes.

Conventions: the sum runs over the wrong classes only, the mean over the N rows only (not over classes). A
margin m of exactly 0 has gradient 0. y holds integers and gets no gradient; y of another shape than (N,)
raises a `ValueError` that names both shapes.
"""

import torch


def hinge_forward(scores, y):
    """Mean over rows of Σ max(0, s_c − s_y + 1).  scores (N, C), y (N,) class indices → loss (), cache."""
    raise NotImplementedError("hinge_forward: Mean over rows of Σ max(0, s_c − s_y + 1).  scores (N, C), y…")


def hinge_backward(dout, cache):
    """dout () → dscores (N, C)."""
    raise NotImplementedError("hinge_backward: dout () → dscores (N, C).")

# When it is written: autograd-check check hinge
