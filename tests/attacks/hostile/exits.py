"""Leaves by every door, with the code of success."""


def attack():
    import sys

    sys.exit(0)
