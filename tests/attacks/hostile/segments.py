"""Ends itself by a bad address."""


def attack():
    import ctypes

    ctypes.string_at(1)
