"""Becomes another user, takes capabilities, undoes its limits."""


def attack():
    import ctypes
    import os
    import resource

    won = []
    libc = ctypes.CDLL(None)

    def tried(name, act):
        try:
            act()
            won.append(name)
        except Exception:
            pass

    tried("setuid", lambda: os.setuid(0))
    tried("setresuid", lambda: os.setresuid(0, 0, 0))
    tried("setgroups", lambda: os.setgroups([0]))
    for name, option, value in (
        ("death signal", 1, 0),
        ("dumpable", 4, 1),
        ("keepcaps", 8, 1),
        ("tracer", 0x59616D61, -1),
        ("filter", 22, 0),
    ):
        won += [name] if libc.prctl(option, value, 0, 0, 0) == 0 else []
    for name, limit in (("FSIZE", 1), ("NPROC", 9), ("AS", -1), ("CPU", -1)):
        tried(f"more {name}", lambda: resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit)))
    return won
