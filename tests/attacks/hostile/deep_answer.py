"""Answers with a list nested 100,000 times."""


def attack():
    answer = []
    for _ in range(100_000):
        answer = [answer]
    return answer
