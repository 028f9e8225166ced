"""Answers with an object that would run when it is unpickled."""


def attack():
    import os

    class Bomb:
        def __reduce__(self):
            return os.mkdir, ('/tmp/autograd_check_left_this',)

    bomb = Bomb()
    return {'answer': bomb} and []
