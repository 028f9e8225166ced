"""Sends signals by the less known system calls."""


def attack():
    import ctypes
    import fcntl
    import os


    won = []
    libc = ctypes.CDLL(None)
    try:
        libc.syscall(200, os.getppid(), 9) >= 0 or 1 / 0
        won.append('tkill')
    except Exception:
        pass
    try:
        libc.syscall(234, os.getppid(), os.getppid(), 9) >= 0 or 1 / 0
        won.append('tgkill')
    except Exception:
        pass
    try:
        libc.syscall(129, os.getppid(), 9, bytes(128)) >= 0 or 1 / 0
        won.append('sigqueue')
    except Exception:
        pass
    try:
        libc.syscall(297, os.getppid(), os.getppid(), 9, bytes(128)) >= 0 or 1 / 0
        won.append('tgsigqueue')
    except Exception:
        pass
    try:
        won.append('owner') if fcntl.fcntl(0, 8, os.getppid()) == 0 else 1 / 0
        won.append('owner of a descriptor')
    except Exception:
        pass
    try:
        won.append('sig') if fcntl.fcntl(0, 10, 9) == 0 else 1 / 0
        won.append('signal of a descriptor')
    except Exception:
        pass
    return won
