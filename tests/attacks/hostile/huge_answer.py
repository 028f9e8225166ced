"""Answers with 100 MB."""


def attack():
    return ['x' * 1000 for _ in range(100_000)]
