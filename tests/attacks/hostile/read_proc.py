"""Reads other processes, and its own, in /proc."""


def attack():
    import os

    won = []

    def tried(name, act):
        try:
            act()
            won.append(name)
        except Exception:
            pass

    for process in ("self", os.getppid(), 1):
        for name in ("mem", "maps", "environ", "cmdline", "status", "fd/0"):
            tried(f"{process}/{name}", lambda: open(f"/proc/{process}/{name}", "rb").read(1))
    tried("listing", lambda: os.listdir("/proc"))
    return won
