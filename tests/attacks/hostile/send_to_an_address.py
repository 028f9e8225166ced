"""Uses its one socket to reach another."""


def attack():
    import ctypes
    import os


    won = []
    libc = ctypes.CDLL(None)
    fd = max(d for d in range(3, 64) if libc.fcntl(d, 1) >= 0)
    try:
        os.write(99, b'')
        won.append('sendto')
    except Exception:
        pass
    try:
        won.append('sent') if libc.sendto(fd, b'x', 1, 0, b'\x01\x00/run/x' + bytes(100), 110) < -1 else 1 / 0
        won.append('unix')
    except Exception:
        pass
    try:
        won.append('msg') if libc.sendmsg(fd, bytes(56), 0) >= 0 else 1 / 0
        won.append('sendmsg')
    except Exception:
        pass
    return won
