"""Answers one byte at a time."""
import os


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def attack():
    import os
    import time

    frame = b'AGC1' + (1000).to_bytes(4, 'little') + bytes(8) + b' ' * 1000
    for byte in frame:
        os.write(max(d for d in range(3, 64) if is_open(d)), bytes([byte]))
        time.sleep(0.05)
    return []
