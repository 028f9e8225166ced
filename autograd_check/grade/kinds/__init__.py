"""How each kind of task is checked: one module a kind, registered by the task's type."""

from autograd_check.grade.kinds import (
    checker,
    initialiser,
    layer,
    plain,
    properties,
    stateful,
    stochastic,
    update_rule,
    write_the_test,
)
from autograd_check.grade.kinds.base import check_task

__all__ = [
    "check_task",
    "checker",
    "initialiser",
    "layer",
    "plain",
    "properties",
    "stateful",
    "stochastic",
    "update_rule",
    "write_the_test",
]
