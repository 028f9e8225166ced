"""The command line: one module a command, no logic.

A command imports what needs torch inside its function. `autograd-check`, `list`, `hint` and `--help` need none of it and
answer at once.
"""
