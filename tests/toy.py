"""A course of two tiny lessons, for tests that need a course of their own."""

from __future__ import annotations

from pathlib import Path

from autograd_check.course.handout import plan, write
from autograd_check.course.load import Course

DOUBLE = '''"""Twice x."""

import torch  # prose below stays as it is:   two  spaces


def helper(x):
    return x


def double_forward(x):
    """out = 2 x.  x (N,) -> out (N,), cache."""
    ### BEGIN SOLUTION
    out = 2 * x
    return out, None
    ### END SOLUTION


def double_backward(dout, cache):
    """dout (N,) -> dx (N,)."""
    ### BEGIN SOLUTION
    return 2 * dout
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import Cause, Layer, Lesson, edit

LESSON = Lesson(
    name="double",
    title="Twice | x",
    source="arithmetic",
    tasks=(Layer("x[N] -> out[N]", oracle=lambda x: x + x, sizes=dict(N=3)),),
    hints=("How fast does 2 x grow?", "Twice as fast as x."),
    mistakes=(edit("2 * dout", "3 * dout", "three times", Cause.CONSTANT_FACTOR),),
    points=4,
    minutes=5,
)
### END SPEC
'''

QUADRUPLE = '''"""Four times x."""

from solutions.u01_toys.double import double_backward, double_forward


def quadruple_forward(x):
    """out = 4 x."""
    ### BEGIN SOLUTION
    return double_forward(double_forward(x)[0])[0], None
    ### END SOLUTION


def quadruple_backward(dout, cache):
    """dout -> dx."""
    ### BEGIN SOLUTION
    return double_backward(double_backward(dout, None), None)
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course import Layer, Lesson

LESSON = Lesson(
    name="quadruple",
    title="Four times x",
    source="arithmetic",
    requires=("double",),
    tasks=(Layer("x[N] -> out[N]", oracle=lambda x: 4 * x, sizes=dict(N=3)),),
    hints=(),
)
### END SPEC
'''

RIGHT = """
def double_forward(x):
    return x + x, None


def double_backward(dout, cache):
    return dout + dout
"""

WRONG = RIGHT.replace("dout + dout", "3 * dout")


def make_course(root: Path, *, stubs: bool = False) -> Path:
    """Write the toy course into a folder and return it; with `stubs` its lessons folder is generated as well."""
    unit = root / "solutions" / "u01_toys"
    unit.mkdir(parents=True)
    (root / "lessons").mkdir()
    (unit / "double.py").write_text(DOUBLE)
    (unit / "quadruple.py").write_text(QUADRUPLE)
    (unit / "_notes.py").write_text("raise RuntimeError('files that begin with _ are no lessons')\n")
    if stubs:
        course = Course.load(root)
        write(course, plan(course))
    return root
