"""Traces and profiles everything from now on."""


def attack():
    import sys
    import threading

    def trace(*_):
        return trace

    sys.settrace(trace)
    sys.setprofile(trace)
    threading.settrace(trace)
    return []
