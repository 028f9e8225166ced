"""Steps of optimisers are timed beside torch's."""

from __future__ import annotations

import pytest

from autograd_check.grade.bench import duels
from tests import support


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_step_of_a_layers_parameters(name: str) -> None:
    (duel,) = duels(support.course(), support.lesson(name))
    assert (duel.part, duel.size) == ("step", "(64, 32) and (32,)")
    assert len(duel.ours()) == 2
    assert duel.theirs() is None
