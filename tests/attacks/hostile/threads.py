"""Starts threads."""


def attack():
    import _thread
    import concurrent.futures
    import threading


    won = []
    try:
        threading.Thread(target=print).start()
        won.append('threading')
    except Exception:
        pass
    try:
        _thread.start_new_thread(print, ())
        won.append('_thread')
    except Exception:
        pass
    try:
        threading.Timer(0, print).start()
        won.append('timer')
    except Exception:
        pass
    try:
        concurrent.futures.ThreadPoolExecutor(1).submit(print)
        won.append('pool')
    except Exception:
        pass
    return won
