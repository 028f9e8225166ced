"""Clipping the gradient's norm
============================

One bad batch can have a gradient a thousand times as long as usual, and one step along it ruins the network.
Clipping keeps the direction and shortens the step. Over all gradients of a network, taken together as one
long vector g:

    ‖g‖ = √(Σ over all tensors, Σ over all entries, g²)

    every gradient ← gradient · min(1, max_norm / ‖g‖)

All tensors are scaled by one factor; each for itself would turn the direction.

Conventions: grads is a list of tensors; a new list of the same length comes back, and nothing is changed in
place. Gradients shorter than max_norm, zeros among them, come back as they are. The clipped norm is max_norm
exactly (torch divides by ‖g‖ + 1e-6, which is a little less).
"""


def clip_grad_norm(grads, *, max_norm):
    """grads [tensor, …] → new grads [tensor, …] of norm max_norm at most."""
    raise NotImplementedError("clip_grad_norm: grads [tensor, …] → new grads [tensor, …] of norm max_norm a…")

# When it is written: autograd-check check clip_grad_norm
