"""Sends signals to the zygote, the grader and everybody."""


def attack():
    import os
    import signal

    won = []
    parent = os.getppid()

    def tried(name, act):
        try:
            act()
            won.append(name)
        except Exception:
            pass

    for target in (parent, -parent, -1, 0, 1):
        for number in (0, 9, 15, 19):
            tried(f"{number} to {target}", lambda: os.kill(target, number))
    tried("group", lambda: os.killpg(os.getpgid(parent), 9))
    tried("pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open(parent), 9))
    tried("pidfd of itself", lambda: os.pidfd_open(os.getpid()))
    return won
