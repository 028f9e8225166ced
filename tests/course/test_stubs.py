from __future__ import annotations

from pathlib import Path

import pytest

from autograd_check.course.stubs import make_stub, reference_code
from autograd_check.errors import CourseError, MarkerError
from tests.toy import DOUBLE, QUADRUPLE

WHERE = Path("toy.py")

DOUBLE_STUB = '''"""Twice x."""

import torch  # prose below stays as it is:   two  spaces


def helper(x):
    return x


def double_forward(x):
    """out = 2 x.  x (N,) -> out (N,), cache."""
    raise NotImplementedError("double_forward: out = 2 x.  x (N,) -> out (N,), cache.")


def double_backward(dout, cache):
    """dout (N,) -> dx (N,)."""
    raise NotImplementedError("double_backward: dout (N,) -> dx (N,).")

# When it is written: autograd-check check toy
'''


NEXT = "\n# When it is written: autograd-check check toy\n"


def test_a_stub_never_exceeds_its_columns() -> None:
    says = "x (N,), which may be anything at all, " * 4
    stub = make_stub(f'def f(x):\n    """{says}"""\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n', WHERE)
    (raising,) = [line for line in stub.splitlines() if "raise" in line]
    assert len(raising) == 110
    assert raising.endswith('…")')


def test_a_stub_is_the_solution_without_its_code_and_specification() -> None:
    assert make_stub(DOUBLE, WHERE) == DOUBLE_STUB


def test_of_a_solution_the_functions_that_were_asked_for_are_shown_without_prose_and_markers() -> None:
    assert reference_code(DOUBLE, WHERE) == (
        "def double_forward(x):\n    out = 2 * x\n    return out, None\n\n"
        "def double_backward(dout, cache):\n    return 2 * dout\n"
    )
    solved, handed_out = (
        "    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n",
        "    ### BEGIN STUB\n    # return 2\n    ### END STUB\n",
    )
    assert reference_code(f"def f():\n{solved}{handed_out}", WHERE) == "def f():\n    return 1\n"
    helper = "### BEGIN SOLUTION\ndef g():\n    return 3\n\n\n### END SOLUTION\n"
    assert reference_code(f"A = 1\n\n\n{helper}", WHERE) == "def g():\n    return 3\n"


def test_imports_of_solutions_become_imports_of_lessons() -> None:
    stub = make_stub(QUADRUPLE, WHERE)
    assert "from lessons.u01_toys.double import double_backward, double_forward\n" in stub
    assert "solutions" not in stub


def test_only_imports_are_renamed() -> None:
    source = 'import solutions.a as b, solutions.c\n"""solutions stay"""\nsolutions = 1  # solutions\n'
    assert make_stub(source, WHERE) == 'import lessons.a as b, lessons.c\n"""solutions stay"""\nsolutions = 1  # solutions\n'


def test_a_stub_region_hands_out_its_lines() -> None:
    source = (
        "def hunted(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n"
        "    ### BEGIN STUB\n    # if x:\n    #     return -x\n    #\n    # return x\n    ### END STUB\n"
    )
    assert make_stub(source, WHERE) == f"def hunted(x):\n    if x:\n        return -x\n\n    return x\n{NEXT}"


def test_a_method_and_a_nested_function_raise_in_their_own_name() -> None:
    source = (
        "class Node:\n    def backward(self):\n        ### BEGIN SOLUTION\n        pass\n        ### END SOLUTION\n\n\n"
        "def outer():\n    def inner():\n        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION\n    return inner\n"
    )
    stub = make_stub(source, WHERE)
    assert '        raise NotImplementedError("backward")\n' in stub
    assert '        raise NotImplementedError("inner")\n    return inner\n' in stub


def test_markers_inside_strings_are_just_text() -> None:
    source = 'text = """\n### BEGIN SOLUTION\n"""\n'
    assert make_stub(source, WHERE) == source


def test_code_outside_functions_is_taken_out_too() -> None:
    assert make_stub("a = 1\n### BEGIN SOLUTION\nb = 2\n### END SOLUTION\nc = 3\n", WHERE) == "a = 1\nc = 3\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x = 1\n### BEGIN SOLUTION\n", "toy.py:2: ### BEGIN SOLUTION has no ### END SOLUTION (the file ends"),
        ("### END SPEC\n", "toy.py:1: ### END SPEC has no ### BEGIN SPEC (nothing was begun)"),
        ("### BEGIN SPEC\n### END SOLUTION\n", "toy.py:1: ### BEGIN SPEC has no ### END SPEC (END SOLUTION follows in line 2)"),
        ("### BEGIN SPEC\n### BEGIN SPEC\n### END SPEC\n", "toy.py:1: ### BEGIN SPEC has no ### END SPEC (BEGIN SPEC follows"),
        ("### BEGIN SOLUTIONS\n", "toy.py:1: unknown marker '### BEGIN SOLUTIONS'; BEGIN and END go with SOLUTION, STUB, SPEC"),
        ("x = 1  ### BEGIN SPEC\n### END SPEC\n", "toy.py:1: the marker '### BEGIN SPEC' must stand on a line of its own"),
        ("### BEGIN STUB\n# x\n### END STUB\n", "toy.py:1: ### BEGIN STUB must come right after an ### END SOLUTION"),
        (
            "def f():\n    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION\n    x = 1\n    ### BEGIN STUB\n    ### END STUB\n",
            "toy.py:6: ### BEGIN STUB must come right after",
        ),
        (
            "def f():\n    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION\n    ### BEGIN STUB\n    pass\n    ### END STUB\n",
            "toy.py:6: lines between BEGIN STUB and END STUB must be comments",
        ),
    ],
)
def test_a_marker_out_of_place_is_named_with_its_line(source: str, says: str) -> None:
    with pytest.raises(MarkerError) as caught:
        make_stub(source, WHERE)
    assert says in str(caught.value)


def test_what_is_not_python_is_refused() -> None:
    with pytest.raises(CourseError, match=r"toy\.py:1: not valid Python"):
        make_stub("def f(:\n", WHERE)
    with pytest.raises(CourseError, match=r"toy\.py: its stub is not valid Python: .* \(line 2 of the stub\)"):
        make_stub("class A:\n    ### BEGIN SOLUTION\n    x = 1\n    ### END SOLUTION\ny = 2\n", WHERE)
