"""Opens files for writing by the system calls themselves, with flags that are less known."""


def attack():
    import ctypes
    import platform

    libc = ctypes.CDLL(None)
    openat = 257 if platform.machine() == "x86_64" else 56
    flags = (0o1, 0o2, 0o101, 0o102, 0o1000, 0o2001, 0o20200002, 0o20200001)
    return [f"flags {flag:o}" for flag in flags if libc.syscall(openat, -100, b"/tmp/autograd_check_left_this", flag, 0o777) >= 0]
