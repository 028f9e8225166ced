"""Leaves without cleaning up, with the code of success."""


def attack():
    import os

    os._exit(0)
