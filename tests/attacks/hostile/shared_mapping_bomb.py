"""Fills memory that is counted as shared."""


def attack():
    import mmap

    held = []
    while True:
        held.append(mmap.mmap(-1, 1 << 28, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS))
        held[-1].write(b'x' * (1 << 28))
