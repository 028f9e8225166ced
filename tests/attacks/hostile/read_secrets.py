"""Reads what a user of this machine keeps."""


def attack():
    import os

    won = []
    try:
        open('/etc/passwd', 'rb').read(1)
        won.append('/etc/passwd')
    except Exception:
        pass
    try:
        open('/etc/shadow', 'rb').read(1)
        won.append('/etc/shadow')
    except Exception:
        pass
    try:
        open('/etc/hostname', 'rb').read(1)
        won.append('/etc/hostname')
    except Exception:
        pass
    try:
        open('/root/.bashrc', 'rb').read(1)
        won.append('/root/.bashrc')
    except Exception:
        pass
    try:
        open('/root/.ssh/id_rsa', 'rb').read(1)
        won.append('/root/.ssh/id_rsa')
    except Exception:
        pass
    try:
        open('/var/log/syslog', 'rb').read(1)
        won.append('/var/log/syslog')
    except Exception:
        pass
    try:
        open('/proc/version', 'rb').read(1)
        won.append('/proc/version')
    except Exception:
        pass
    try:
        open('/sys/kernel/mm/transparent_hugepage/enabled', 'rb').read(1)
        won.append('/sys/kernel/mm/transparent_hugepage/enabled')
    except Exception:
        pass
    try:
        os.listdir('/')
        won.append('listing of /')
    except Exception:
        pass
    try:
        os.listdir('/tmp')
        won.append('listing of /tmp')
    except Exception:
        pass
    try:
        os.listdir(os.path.expanduser('~'))
        won.append('listing of home')
    except Exception:
        pass
    return won
