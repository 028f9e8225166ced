"""Leaves work for its end."""


def attack():
    import atexit

    atexit.register(print, 'passed')
    atexit.register(open, '/tmp/autograd_check_left_this', 'w')
    return []
