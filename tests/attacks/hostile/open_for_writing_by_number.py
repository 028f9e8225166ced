"""Opens files for writing by the system calls themselves, with flags that are less known."""


def attack():
    import ctypes
    import platform


    won = []
    libc = ctypes.CDLL(None)
    try:
        won.append(1) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 1, 0o777) >= 0 else 1 / 0
        won.append('flags 1')
    except Exception:
        pass
    try:
        won.append(2) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 2, 0o777) >= 0 else 1 / 0
        won.append('flags 2')
    except Exception:
        pass
    try:
        won.append(65) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 65, 0o777) >= 0 else 1 / 0
        won.append('flags 101')
    except Exception:
        pass
    try:
        won.append(66) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 66, 0o777) >= 0 else 1 / 0
        won.append('flags 102')
    except Exception:
        pass
    try:
        won.append(512) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 512, 0o777) >= 0 else 1 / 0
        won.append('flags 1000')
    except Exception:
        pass
    try:
        won.append(1025) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 1025, 0o777) >= 0 else 1 / 0
        won.append('flags 2001')
    except Exception:
        pass
    try:
        won.append(4259842) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 4259842, 0o777) >= 0 else 1 / 0
        won.append('flags 20200002')
    except Exception:
        pass
    try:
        won.append(4259841) if libc.syscall(257 if platform.machine() == 'x86_64' else 56, -100, b'/tmp/autograd_check_left_this', 4259841, 0o777) >= 0 else 1 / 0
        won.append('flags 20200001')
    except Exception:
        pass
    return won
