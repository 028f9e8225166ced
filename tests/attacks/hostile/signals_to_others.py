"""Sends signals to the zygote, the grader and everybody."""


def attack():
    import os
    import signal


    won = []
    try:
        os.kill(os.getppid(), 0)
        won.append('0 to os.getppid()')
    except Exception:
        pass
    try:
        os.kill(os.getppid(), 9)
        won.append('9 to os.getppid()')
    except Exception:
        pass
    try:
        os.kill(os.getppid(), 15)
        won.append('15 to os.getppid()')
    except Exception:
        pass
    try:
        os.kill(os.getppid(), 19)
        won.append('19 to os.getppid()')
    except Exception:
        pass
    try:
        os.kill(-os.getppid(), 0)
        won.append('0 to -os.getppid()')
    except Exception:
        pass
    try:
        os.kill(-os.getppid(), 9)
        won.append('9 to -os.getppid()')
    except Exception:
        pass
    try:
        os.kill(-os.getppid(), 15)
        won.append('15 to -os.getppid()')
    except Exception:
        pass
    try:
        os.kill(-os.getppid(), 19)
        won.append('19 to -os.getppid()')
    except Exception:
        pass
    try:
        os.kill(-1, 0)
        won.append('0 to -1')
    except Exception:
        pass
    try:
        os.kill(-1, 9)
        won.append('9 to -1')
    except Exception:
        pass
    try:
        os.kill(-1, 15)
        won.append('15 to -1')
    except Exception:
        pass
    try:
        os.kill(-1, 19)
        won.append('19 to -1')
    except Exception:
        pass
    try:
        os.kill(0, 0)
        won.append('0 to 0')
    except Exception:
        pass
    try:
        os.kill(0, 9)
        won.append('9 to 0')
    except Exception:
        pass
    try:
        os.kill(0, 15)
        won.append('15 to 0')
    except Exception:
        pass
    try:
        os.kill(0, 19)
        won.append('19 to 0')
    except Exception:
        pass
    try:
        os.kill(1, 0)
        won.append('0 to 1')
    except Exception:
        pass
    try:
        os.kill(1, 9)
        won.append('9 to 1')
    except Exception:
        pass
    try:
        os.kill(1, 15)
        won.append('15 to 1')
    except Exception:
        pass
    try:
        os.kill(1, 19)
        won.append('19 to 1')
    except Exception:
        pass
    try:
        os.killpg(os.getpgid(os.getppid()), 9)
        won.append('killpg')
    except Exception:
        pass
    try:
        signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 9)
        won.append('pidfd')
    except Exception:
        pass
    try:
        os.pidfd_open(os.getpid())
        won.append('pidfd of itself')
    except Exception:
        pass
    return won
