"""Traces the zygote, and has itself traced."""


def attack():
    import ctypes
    import os


    won = []
    libc = ctypes.CDLL(None)
    try:
        libc.ptrace(0, os.getppid() if 0 else 0, 0, 0) >= 0 or 1 / 0
        won.append('request 0')
    except Exception:
        pass
    try:
        libc.ptrace(16, os.getppid() if 16 else 0, 0, 0) >= 0 or 1 / 0
        won.append('request 16')
    except Exception:
        pass
    try:
        libc.ptrace(16902, os.getppid() if 16902 else 0, 0, 0) >= 0 or 1 / 0
        won.append('request 16902')
    except Exception:
        pass
    return won
