"""Aborts."""


def attack():
    import os

    os.abort()
