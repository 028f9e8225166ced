"""Leaves files where it can."""


def attack():
    import os

    won = []
    beside = os.path.dirname(os.__file__)

    def tried(name, act):
        try:
            act()
            won.append(name)
        except Exception:
            pass

    for place in ("/tmp", "/dev/shm", "/var/tmp", "/run", ".", "/", os.path.expanduser("~"), beside):
        tried(place, lambda: open(os.path.join(place, "autograd_check_left_this"), "w").close())
    tried("beside itself", lambda: open(os.path.join(beside, "autograd_check_left_this.py"), "w").close())
    return won
