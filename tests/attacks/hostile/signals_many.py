"""Tries every number near its own."""


def attack():
    import os

    won = []
    for number in range(os.getpid() - 300, os.getpid() + 300):
        if number > 0 and number != os.getpid():
            try:
                os.kill(number, 0)
                won.append(number)
            except OSError:
                pass
    return won
