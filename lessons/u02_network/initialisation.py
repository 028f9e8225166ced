"""Initialisation
==============

A layer adds up fan_in products, so the variance of its output is fan_in · Var[w] times the mean square of its
input. Weights that are too small let the signal die from layer to layer, too large ones let it explode. Two
choices of Var[w] keep it level:

    He, normal            w ~ N(0, s²)      s² = 2 / fan_in
    Xavier, uniform       w ~ U(−a, a)      a = √(6 / (fan_in + fan_out))

A relu silences half of its inputs: hence He's 2. Xavier's is level forwards and backwards, without relu:
U(−a, a) has variance a² / 3, so Var[w] is 2 / (fan_in + fan_out).

Conventions: w has shape (fan_in, fan_out), as linear wants it, in float64. All randomness comes from the
generator that is handed in: the same seed gives the same weights.
"""

import torch


def he_normal(fan_in, fan_out, *, generator):
    """w (fan_in, fan_out), normal with standard deviation √(2 / fan_in)."""
    raise NotImplementedError("he_normal: w (fan_in, fan_out), normal with standard deviation √(2 / fan_in).")


def xavier_uniform(fan_in, fan_out, *, generator):
    """w (fan_in, fan_out), uniform in [−a, a) with a = √(6 / (fan_in + fan_out))."""
    raise NotImplementedError("xavier_uniform: w (fan_in, fan_out), uniform in [−a, a) with a = √(6 / (fan_…")

# When it is written: autograd-check check initialisation
