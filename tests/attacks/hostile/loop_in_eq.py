"""Returns an object whose comparison loops."""


def attack():
    class Loop:
        def __eq__(self, other):
            while True:
                pass

        __hash__ = None

    return [] if Loop() else Loop()
