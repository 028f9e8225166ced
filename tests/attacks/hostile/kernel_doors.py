"""Calls the kernel where it has had holes."""


def attack():
    import ctypes


    won = []
    libc = ctypes.CDLL(None)
    try:
        libc.syscall(425, *[0] * 5) >= 0 or 1 / 0
        won.append('io_uring')
    except Exception:
        pass
    try:
        libc.syscall(321, *[0] * 5) >= 0 or 1 / 0
        won.append('bpf')
    except Exception:
        pass
    try:
        libc.syscall(298, *[0] * 5) >= 0 or 1 / 0
        won.append('perf')
    except Exception:
        pass
    try:
        libc.syscall(323, *[0] * 5) >= 0 or 1 / 0
        won.append('userfaultfd')
    except Exception:
        pass
    try:
        libc.syscall(250, *[0] * 5) >= 0 or 1 / 0
        won.append('keyctl')
    except Exception:
        pass
    try:
        libc.syscall(248, *[0] * 5) >= 0 or 1 / 0
        won.append('add_key')
    except Exception:
        pass
    try:
        libc.syscall(246, *[0] * 5) >= 0 or 1 / 0
        won.append('kexec')
    except Exception:
        pass
    try:
        libc.syscall(175, *[0] * 5) >= 0 or 1 / 0
        won.append('init_module')
    except Exception:
        pass
    try:
        libc.syscall(300, *[0] * 5) >= 0 or 1 / 0
        won.append('fanotify')
    except Exception:
        pass
    try:
        libc.syscall(294, *[0] * 5) >= 0 or 1 / 0
        won.append('inotify')
    except Exception:
        pass
    try:
        libc.syscall(68, *[0] * 5) >= 0 or 1 / 0
        won.append('msgget')
    except Exception:
        pass
    try:
        libc.syscall(64, *[0] * 5) >= 0 or 1 / 0
        won.append('semget')
    except Exception:
        pass
    try:
        libc.syscall(29, *[0] * 5) >= 0 or 1 / 0
        won.append('shmget')
    except Exception:
        pass
    try:
        libc.syscall(319, *[0] * 5) >= 0 or 1 / 0
        won.append('memfd')
    except Exception:
        pass
    try:
        libc.syscall(240, *[0] * 5) >= 0 or 1 / 0
        won.append('mq_open')
    except Exception:
        pass
    try:
        libc.syscall(312, *[0] * 5) >= 0 or 1 / 0
        won.append('kcmp')
    except Exception:
        pass
    try:
        libc.syscall(179, *[0] * 5) >= 0 or 1 / 0
        won.append('quotactl')
    except Exception:
        pass
    try:
        libc.syscall(180, *[0] * 5) >= 0 or 1 / 0
        won.append('nfsservctl')
    except Exception:
        pass
    try:
        libc.syscall(304, *[0] * 5) >= 0 or 1 / 0
        won.append('open_by_handle')
    except Exception:
        pass
    try:
        libc.syscall(438, *[0] * 5) >= 0 or 1 / 0
        won.append('pidfd_getfd')
    except Exception:
        pass
    try:
        libc.syscall(444, *[0] * 5) >= 0 or 1 / 0
        won.append('landlock')
    except Exception:
        pass
    try:
        libc.syscall(317, *[0] * 5) >= 0 or 1 / 0
        won.append('seccomp')
    except Exception:
        pass
    try:
        libc.syscall(135, *[0] * 5) >= 0 or 1 / 0
        won.append('personality')
    except Exception:
        pass
    try:
        libc.syscall(172, *[0] * 5) >= 0 or 1 / 0
        won.append('iopl')
    except Exception:
        pass
    try:
        libc.syscall(154, *[0] * 5) >= 0 or 1 / 0
        won.append('modify_ldt')
    except Exception:
        pass
    try:
        libc.syscall(163, *[0] * 5) >= 0 or 1 / 0
        won.append('acct')
    except Exception:
        pass
    try:
        libc.syscall(167, *[0] * 5) >= 0 or 1 / 0
        won.append('swapon')
    except Exception:
        pass
    try:
        libc.syscall(169, *[0] * 5) >= 0 or 1 / 0
        won.append('reboot')
    except Exception:
        pass
    try:
        libc.syscall(170, *[0] * 5) >= 0 or 1 / 0
        won.append('sethostname')
    except Exception:
        pass
    try:
        libc.syscall(171, *[0] * 5) >= 0 or 1 / 0
        won.append('setdomainname')
    except Exception:
        pass
    try:
        libc.syscall(164, *[0] * 5) >= 0 or 1 / 0
        won.append('settimeofday')
    except Exception:
        pass
    try:
        libc.syscall(159, *[0] * 5) >= 0 or 1 / 0
        won.append('adjtimex')
    except Exception:
        pass
    return won
