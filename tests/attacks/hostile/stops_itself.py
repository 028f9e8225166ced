"""Stops its own process."""


def attack():
    import os

    os.kill(os.getpid(), 19)
