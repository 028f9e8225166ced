"""Returns objects that lie about what they are."""


def attack():
    class Liar:
        @property
        def __class__(self):
            return bool

        def __bool__(self):
            return True

    return [Liar()] and []
