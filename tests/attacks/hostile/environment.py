"""Looks for secrets in the environment."""


def attack():
    import ctypes
    import os

    allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    return sorted(set(os.environ) - allowed)
