"""Reads other processes, and its own, in /proc."""


def attack():
    import os

    won = []
    try:
        open('/proc/' + 'self' + '/mem', 'rb').read(1)
        won.append("'self'/mem")
    except Exception:
        pass
    try:
        open('/proc/' + 'self' + '/maps', 'rb').read(1)
        won.append("'self'/maps")
    except Exception:
        pass
    try:
        open('/proc/' + 'self' + '/environ', 'rb').read(1)
        won.append("'self'/environ")
    except Exception:
        pass
    try:
        open('/proc/' + 'self' + '/cmdline', 'rb').read(1)
        won.append("'self'/cmdline")
    except Exception:
        pass
    try:
        open('/proc/' + 'self' + '/status', 'rb').read(1)
        won.append("'self'/status")
    except Exception:
        pass
    try:
        open('/proc/' + 'self' + '/fd/0', 'rb').read(1)
        won.append("'self'/fd/0")
    except Exception:
        pass
    try:
        open('/proc/' + str(os.getppid()) + '/mem', 'rb').read(1)
        won.append('str(os.getppid())/mem')
    except Exception:
        pass
    try:
        open('/proc/' + str(os.getppid()) + '/maps', 'rb').read(1)
        won.append('str(os.getppid())/maps')
    except Exception:
        pass
    try:
        open('/proc/' + str(os.getppid()) + '/environ', 'rb').read(1)
        won.append('str(os.getppid())/environ')
    except Exception:
        pass
    try:
        open('/proc/' + str(os.getppid()) + '/cmdline', 'rb').read(1)
        won.append('str(os.getppid())/cmdline')
    except Exception:
        pass
    try:
        open('/proc/' + str(os.getppid()) + '/status', 'rb').read(1)
        won.append('str(os.getppid())/status')
    except Exception:
        pass
    try:
        open('/proc/' + str(os.getppid()) + '/fd/0', 'rb').read(1)
        won.append('str(os.getppid())/fd/0')
    except Exception:
        pass
    try:
        open('/proc/' + '1' + '/mem', 'rb').read(1)
        won.append("'1'/mem")
    except Exception:
        pass
    try:
        open('/proc/' + '1' + '/maps', 'rb').read(1)
        won.append("'1'/maps")
    except Exception:
        pass
    try:
        open('/proc/' + '1' + '/environ', 'rb').read(1)
        won.append("'1'/environ")
    except Exception:
        pass
    try:
        open('/proc/' + '1' + '/cmdline', 'rb').read(1)
        won.append("'1'/cmdline")
    except Exception:
        pass
    try:
        open('/proc/' + '1' + '/status', 'rb').read(1)
        won.append("'1'/status")
    except Exception:
        pass
    try:
        open('/proc/' + '1' + '/fd/0', 'rb').read(1)
        won.append("'1'/fd/0")
    except Exception:
        pass
    try:
        os.listdir('/proc')
        won.append('listing')
    except Exception:
        pass
    return won
