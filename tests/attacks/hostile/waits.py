"""Waits for something that never comes."""


def attack():
    import time

    time.sleep(10_000)
