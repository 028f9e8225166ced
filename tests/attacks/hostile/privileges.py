"""Becomes another user, takes capabilities, undoes its limits."""


def attack():
    import ctypes
    import os
    import resource


    won = []
    libc = ctypes.CDLL(None)
    try:
        os.setuid(0)
        won.append('setuid')
    except Exception:
        pass
    try:
        os.setresuid(0, 0, 0)
        won.append('setresuid')
    except Exception:
        pass
    try:
        os.setgroups([0])
        won.append('setgroups')
    except Exception:
        pass
    try:
        libc.prctl(1, 0, 0, 0, 0) == 0 or 1 / 0
        won.append('death signal')
    except Exception:
        pass
    try:
        libc.prctl(4, 1, 0, 0, 0) == 0 or 1 / 0
        won.append('dumpable')
    except Exception:
        pass
    try:
        libc.prctl(8, 1, 0, 0, 0) == 0 or 1 / 0
        won.append('keepcaps')
    except Exception:
        pass
    try:
        libc.prctl(0x59616D61, -1, 0, 0, 0) == 0 or 1 / 0
        won.append('tracer')
    except Exception:
        pass
    try:
        libc.prctl(22, 0, 0, 0, 0) == 0 or 1 / 0
        won.append('filter')
    except Exception:
        pass
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))
        won.append('more files')
    except Exception:
        pass
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (9, 9))
        won.append('more processes')
    except Exception:
        pass
    try:
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        won.append('more memory')
    except Exception:
        pass
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))
        won.append('more time')
    except Exception:
        pass
    return won
