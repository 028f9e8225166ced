"""Climbs the frames above it, and looks for what a verdict is made of."""


def attack():
    import sys

    won, frame = [], sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if name in ("lesson", "oracle", "expected", "zygote", "solution", "key"):
                won.append(name)
            if name in ("channel", "answer"):
                frame.f_locals[name] = None
        frame = frame.f_back
    return won
