"""Makes links to what it may not read, and reads through them."""


def attack():
    import os

    won = []
    try:
        os.symlink('/etc/passwd', '/tmp/autograd_check_left_this')
        won.append('symlink')
    except Exception:
        pass
    try:
        os.link('/etc/passwd', '/tmp/autograd_check_left_this')
        won.append('hard link')
    except Exception:
        pass
    try:
        open('/proc/self/root/etc/passwd').read()
        won.append('through /proc')
    except Exception:
        pass
    try:
        open(os.path.join(os.path.dirname(os.__file__), *['..'] * 20, 'etc/passwd')).read()
        won.append('dots')
    except Exception:
        pass
    return won
