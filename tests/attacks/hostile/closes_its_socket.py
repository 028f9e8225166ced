"""Hangs up and goes on."""


def attack():
    import os

    os.closerange(3, 64)
    while True:
        pass
