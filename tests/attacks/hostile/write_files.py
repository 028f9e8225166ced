"""Leaves files where it can."""


def attack():
    import os

    won = []
    try:
        open(os.path.join('/tmp', 'autograd_check_left_this'), 'w').close()
        won.append('/tmp')
    except Exception:
        pass
    try:
        open(os.path.join('/dev/shm', 'autograd_check_left_this'), 'w').close()
        won.append('/dev/shm')
    except Exception:
        pass
    try:
        open(os.path.join('/var/tmp', 'autograd_check_left_this'), 'w').close()
        won.append('/var/tmp')
    except Exception:
        pass
    try:
        open(os.path.join('.', 'autograd_check_left_this'), 'w').close()
        won.append('.')
    except Exception:
        pass
    try:
        open(os.path.join('/', 'autograd_check_left_this'), 'w').close()
        won.append('/')
    except Exception:
        pass
    try:
        open(os.path.join('/work', 'autograd_check_left_this'), 'w').close()
        won.append('/work')
    except Exception:
        pass
    try:
        open(os.path.join('/root', 'autograd_check_left_this'), 'w').close()
        won.append('/root')
    except Exception:
        pass
    try:
        open(os.path.join('/run', 'autograd_check_left_this'), 'w').close()
        won.append('/run')
    except Exception:
        pass
    try:
        open(os.path.expanduser('~/autograd_check_left_this'), 'w')
        won.append('home')
    except Exception:
        pass
    try:
        open(os.path.join(os.path.dirname(os.__file__), 'autograd_check_left_this.py'), 'w')
        won.append('beside itself')
    except Exception:
        pass
    return won
