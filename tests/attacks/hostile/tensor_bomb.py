"""Fills memory with tensors."""


def attack():
    import torch

    held = []
    while True:
        held.append(torch.empty(1 << 24))
