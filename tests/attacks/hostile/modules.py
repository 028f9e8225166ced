"""Looks for modules of the grader that know the answers."""


def attack():
    import sys

    parts = ("autograd_check.grade", "autograd_check.course", "autograd_check.report", "autograd_check.api", "solutions", "lessons")
    return [name for name in sys.modules if name.startswith(parts)]
