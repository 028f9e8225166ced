"""Calls the kernel by the numbers of another ABI."""


def attack():
    import ctypes

    return [ctypes.CDLL(None).syscall(0x40000000 + 57)]
