"""Every kind of edit is made, one at a time, and named with its cause."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from autograd_check.diagnose.mutate import mutants

SOURCE = """
def f_backward(dout, cache):
    x, w, eps = cache
    n = len(x)
    dx = dout * (x > 0) / n - x.T.sum(0)
    for i in range(n):
        dx[i] += torch.sqrt(w + eps)
    return -dx
"""

FOUND = [
    ("one term is missing", "missing_term"),
    ("one term has the wrong sign", "sign"),
    ("the divisor n is missing", "missing_term"),
    ("the factor dout is missing", "ignores_upstream"),
    ("one factor is missing", "mask_missing"),
    ("a minus sign is missing", "sign"),
    ("a mean stands for a sum", "mean_for_sum"),
    ("a sum is missing", "missing_reduction"),
    ("a sum runs over another axis", "wrong_axis"),
    ("a sum runs over other axes", "wrong_axis"),
    ("a transpose is missing", "transposed"),
    ("= stands for +=", "overwritten"),
    ("a loop stops one short", "rows_missing"),
    ("a mask is the wrong way round", "mask_inverted"),
    ("the number eps stands outside the root", "wrong_operand"),
    ("the sqrt is missing", "wrong_operand"),
    ("w stands for x", "wrong_operand"),
    ("1 − w stands for w", "wrong_operand"),
]


@pytest.mark.parametrize(("says", "cause"), FOUND)
def test_an_edit_is_made_and_named(says: str, cause: str) -> None:
    found = {(mutant.says, str(mutant.cause)) for mutant in mutants(SOURCE, ["f_backward"])}
    assert (says, cause) in found


@pytest.mark.parametrize(
    ("axes", "other", "words"),
    [
        ("(2, 3)", "(0, 2, 3)", "too many axes"),
        ("(0, 2, 3)", "(2, 3)", "too few axes"),
        ("(2, 3)", "-1", "other axes"),
        ("1", "0", "another axis"),
    ],
)
def test_axes_are_called_too_many_or_too_few_where_that_is_certain(axes: str, other: str, words: str) -> None:
    found = {mutant.says for mutant in mutants(f"def f(x):\n    return x.mean({axes})", ["f"])}
    assert f"a mean runs over {words}" in found, other


EDITED = [
    ("0.044715 * x", "0.44715 stands for 0.044715"),
    ("x / math.sqrt(2 * math.pi)", "it is divided by 2.50663 twice"),
    ("x / y", "it is divided twice"),
    ("x / y", "a whole-number division stands for a division"),
    ("x - y", "the term y counts half"),
    ("x + y", "the term x counts twice"),
    ("x.mean(1) - (x * y).mean(1)", "2 means run over another axis"),
    ("x.mean((2, 3)) - (x * y).mean((2, 3))", "2 means run over too many axes"),
]


@pytest.mark.parametrize(("expression", "says"), EDITED)
def test_constants_shares_and_common_axes_are_edited(expression: str, says: str) -> None:
    assert says in {mutant.says for mutant in mutants(f"def f(x, y):\n    return {expression}", ["f"])}


def test_axes_are_edited_together_only_where_they_are_the_same_twice() -> None:
    found = {mutant.says for mutant in mutants("def f(x):\n    return x.mean(1) - x.mean(0) - x.sum(1)", ["f"])}
    assert not any(says.startswith("2 means") for says in found)
    namespace: dict[str, Any] = {}
    for mutant in mutants("def f(x):\n    return x.mean(1) - 2 * x.mean(1)", ["f"]):
        if mutant.says == "2 means run over another axis":
            exec(mutant.code, namespace)
            x = torch.arange(6.0).reshape(2, 3)
            assert namespace["f"](x).shape in ((3,), (2,))
            return
    raise AssertionError("no such mutant")


def test_a_mutant_differs_in_one_place() -> None:
    source = "def f(x):\n    return x * x + x"
    values = []
    for mutant in mutants(source, ["f"]):
        namespace: dict[str, Any] = {"torch": torch}
        exec(mutant.code, namespace)
        values.append(namespace["f"](3.0))
    assert {9.0, 3.0, 6.0, -6.0} <= {float(value) for value in values}  # x·x, x, x + x, x − x·x
    assert 12.0 not in values[:4]


def test_only_the_functions_asked_for_are_edited() -> None:
    source = f"{SOURCE}\n\ndef helper(x):\n    return x + 1\n"
    assert {mutant.function for mutant in mutants(source, ["helper"])} == {"helper"}


def test_a_long_operand_is_not_told() -> None:
    told = [mutant.says for mutant in mutants("def f(x, y):\n    return x - (x * y).mean(-1)", ["f"])]
    assert "one term is missing" in told
    assert not any("mean(-1)" in says for says in told)


def test_a_condition_is_left_alone() -> None:
    source = "def f(x, train, n):\n    if train:\n        return x * n\n    return x if n > 1 else -x\n"
    says = {mutant.says for mutant in mutants(source, ["f"])}
    assert "n stands for x" in says
    assert not any("stands for train" in one for one in says)
    assert not any("mask" in one for one in says)
