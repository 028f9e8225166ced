"""Compiles an expression nested very deep."""


def attack():
    return compile('(' * 100_000 + ')' * 100_000, 'x', 'exec') and []
