"""Makes namespaces, mounts, a root of its own."""


def attack():
    import ctypes
    import os


    won = []
    libc = ctypes.CDLL(None)
    try:
        libc.unshare(0x10000000) == 0 or 1 / 0
        won.append('unshare')
    except Exception:
        pass
    try:
        libc.setns(0, 0) == 0 or 1 / 0
        won.append('setns')
    except Exception:
        pass
    try:
        os.chroot('/tmp')
        won.append('chroot')
    except Exception:
        pass
    try:
        libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0 or 1 / 0
        won.append('mount')
    except Exception:
        pass
    try:
        libc.umount(b'/proc') == 0 or 1 / 0
        won.append('umount')
    except Exception:
        pass
    try:
        libc.syscall(155, b'/', b'/') == 0 or 1 / 0
        won.append('pivot')
    except Exception:
        pass
    try:
        os.chdir('/')
        won.append('chdir')
    except Exception:
        pass
    return won
