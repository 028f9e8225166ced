"""Becomes another program."""


def attack():
    import ctypes
    import os


    won = []
    libc = ctypes.CDLL(None)
    try:
        os.execv('/bin/sh', ['sh', '-c', 'true'])
        won.append('execv')
    except Exception:
        pass
    try:
        os.execve('/usr/bin/env', ['env'], {})
        won.append('execve')
    except Exception:
        pass
    try:
        os.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/bin/true'])
        won.append('loader')
    except Exception:
        pass
    try:
        libc.syscall(322, -100, b'/bin/true', None, None, 0) >= 0 or 1 / 0
        won.append('execveat')
    except Exception:
        pass
    return won
