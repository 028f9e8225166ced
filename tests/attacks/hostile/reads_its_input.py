"""Waits for input."""


def attack():
    import sys

    return list(sys.stdin)
