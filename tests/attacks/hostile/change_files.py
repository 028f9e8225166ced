"""Changes files that are there, without opening them for writing."""


def attack():
    import os

    won = []
    target = os.__file__
    try:
        os.chmod(target, 0o777)
        won.append('chmod')
    except Exception:
        pass
    try:
        os.utime(target)
        won.append('utime')
    except Exception:
        pass
    try:
        os.chown(target, -1, -1)
        won.append('chown')
    except Exception:
        pass
    try:
        os.rename(target, target + '2')
        won.append('rename')
    except Exception:
        pass
    try:
        os.unlink(target)
        won.append('unlink')
    except Exception:
        pass
    try:
        os.truncate(target, 0)
        won.append('truncate')
    except Exception:
        pass
    try:
        os.setxattr(target, 'user.x', b'x')
        won.append('xattr')
    except Exception:
        pass
    try:
        os.mkdir('/tmp/autograd_check_left_this')
        won.append('mkdir')
    except Exception:
        pass
    try:
        os.rmdir(os.path.dirname(target))
        won.append('rmdir')
    except Exception:
        pass
    try:
        os.mkfifo('/tmp/autograd_check_left_this')
        won.append('mkfifo')
    except Exception:
        pass
    try:
        os.mknod('/tmp/autograd_check_left_this')
        won.append('mknod')
    except Exception:
        pass
    return won
