"""Makes processes in every way."""


def attack():
    import concurrent.futures
    import ctypes
    import multiprocessing
    import os
    import subprocess


    won = []
    libc = ctypes.CDLL(None)
    try:
        os.fork()
        won.append('fork')
    except Exception:
        pass
    try:
        os.forkpty()
        won.append('forkpty')
    except Exception:
        pass
    try:
        os.posix_spawn('/bin/true', ['true'], {})
        won.append('spawn')
    except Exception:
        pass
    try:
        os.system('true') == 0 or 1 / 0
        won.append('system')
    except Exception:
        pass
    try:
        os.popen('true').close() is None or 1 / 0
        won.append('popen')
    except Exception:
        pass
    try:
        subprocess.run(['true'], check=True)
        won.append('subprocess')
    except Exception:
        pass
    try:
        multiprocessing.Process(target=print).start()
        won.append('multiprocessing')
    except Exception:
        pass
    try:
        concurrent.futures.ProcessPoolExecutor(1).submit(print).result(1)
        won.append('pool')
    except Exception:
        pass
    try:
        libc.syscall(58) > 0 or 1 / 0
        won.append('vfork')
    except Exception:
        pass
    try:
        libc.syscall(56, 17, 0, 0, 0, 0) > 0 or 1 / 0
        won.append('clone')
    except Exception:
        pass
    try:
        libc.syscall(435, bytes(64), 64) > 0 or 1 / 0
        won.append('clone3')
    except Exception:
        pass
    return won
