"""Loops in an import of its own."""


def attack():
    import sys

    class Loop:
        def find_spec(self, *_):
            while True:
                pass

    sys.meta_path.insert(0, Loop())
    import calendar_of_nobody

    return []
