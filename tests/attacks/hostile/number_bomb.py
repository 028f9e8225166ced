"""Computes a number without end."""


def attack():
    return len(str(9**9**9))
