"""Shuts one direction of its socket and goes on."""


def attack():
    import ctypes

    for d in range(3, 64):
        ctypes.CDLL(None).shutdown(d, 1)
    while True:
        pass
