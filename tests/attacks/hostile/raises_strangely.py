"""Raises an exception whose text cannot be made."""


def attack():
    class Strange(BaseException):
        def __str__(self):
            raise self

        __repr__ = __str__

    raise Strange
