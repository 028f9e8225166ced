"""Loops in __del__ during the call."""


def attack():
    class Loop:
        def __del__(self):
            while True:
                pass

    Loop()
    return []
