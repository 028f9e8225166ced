"""Prints 200 MB."""


def attack():
    import os

    for _ in range(200):
        print('x' * (1 << 20))
        try:
            os.write(1, b'x' * (1 << 20))
            os.write(2, b'x' * (1 << 20))
        except OSError:
            pass
    return []
