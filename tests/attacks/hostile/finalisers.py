"""Loops for ever when it is thrown away."""


def attack():
    import weakref

    class Loop:
        def __del__(self):
            while True:
                pass

    held = Loop()
    held.me = held
    weakref.finalize(held, Loop.__del__, held)
    return []
