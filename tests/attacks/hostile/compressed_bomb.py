"""Unpacks a gigabyte from a few bytes."""


def attack():
    import zlib

    packed = zlib.compress(bytes(1 << 26), 9)
    return [len(zlib.decompress(zlib.compress(packed * 40)) + zlib.decompress(packed) * 40)][:0]
