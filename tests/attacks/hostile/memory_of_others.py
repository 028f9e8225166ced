"""Reads and writes the zygote's memory."""


def attack():
    import ctypes
    import os
    import struct


    won = []
    libc = ctypes.CDLL(None)
    space = ctypes.create_string_buffer(8)
    vector = struct.pack('PN', ctypes.addressof(space), 8)
    try:
        libc.process_vm_readv(os.getppid(), vector, 1, vector, 1, 0) > 0 or 1 / 0
        won.append('readv')
    except Exception:
        pass
    try:
        libc.process_vm_writev(os.getppid(), vector, 1, vector, 1, 0) > 0 or 1 / 0
        won.append('writev')
    except Exception:
        pass
    try:
        open(f'/proc/{os.getppid()}/mem', 'r+b')
        won.append('mem')
    except Exception:
        pass
    return won
