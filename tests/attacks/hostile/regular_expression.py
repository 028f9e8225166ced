"""Searches with a pattern that takes for ever."""


def attack():
    import re

    return re.match('(a+)+$', 'a' * 60 + 'b') and ['matched']
