"""Uses every descriptor it has, and makes new ones."""


def attack():
    import os
    import select


    won = []
    try:
        os.pipe()
        won.append('pipe')
    except Exception:
        pass
    try:
        os.eventfd(0)
        won.append('eventfd')
    except Exception:
        pass
    try:
        select.epoll()
        won.append('epoll')
    except Exception:
        pass
    try:
        os.memfd_create('x')
        won.append('memfd')
    except Exception:
        pass
    try:
        os.openpty()
        won.append('pty')
    except Exception:
        pass
    for number in range(3, 64):
        try:
            kind = os.fstat(number).st_mode >> 12
        except OSError:
            continue
        if kind != 12:
            won.append(f'descriptor {number} of kind {kind}')
    return won
