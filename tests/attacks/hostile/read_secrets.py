"""Reads what a user of the machine keeps."""


def attack():
    import os

    won = []
    home = os.path.expanduser("~")

    def tried(name, act):
        try:
            act()
            won.append(name)
        except Exception:
            pass

    for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/var/log/syslog", "/proc/version"):
        tried(path, lambda: open(path, "rb").read(1))
    for name in (".bashrc", ".profile", ".netrc", ".ssh/id_rsa"):
        tried(name, lambda: open(os.path.join(home, name), "rb").read(1))
    tried("settings of the kernel", lambda: open("/sys/kernel/mm/transparent_hugepage/enabled", "rb").read(1))
    for folder in ("/", "/tmp", home):
        tried(f"listing of {folder}", lambda: os.listdir(folder))
    return won
