"""Sets timers and alarms."""


def attack():
    import ctypes
    import signal


    won = []
    libc = ctypes.CDLL(None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        won.append('setitimer')
    except Exception:
        pass
    try:
        signal.setitimer(signal.ITIMER_PROF, 0.01)
        won.append('itimer prof')
    except Exception:
        pass
    try:
        won.append('alarm') if libc.alarm(1) == 0 and libc.alarm(0) > 0 else 1 / 0
        won.append('alarm')
    except Exception:
        pass
    try:
        libc.syscall(222, 0, 0, 0) == 0 or 1 / 0
        won.append('timer')
    except Exception:
        pass
    return won
