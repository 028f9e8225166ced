"""Notebooks: the lesson's functions and what they use are taken, experiments are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograd_check.errors import SubmissionError
from autograd_check.grade.cells import defined, notebook_source
from autograd_check.grade.session import Session
from autograd_check.run.zygote import Zygote
from tests import support


def notebook(*cells: str, kind: str = "code") -> str:
    return json.dumps({"cells": [{"cell_type": kind, "source": cell.splitlines(keepends=True)} for cell in cells]})


LINEAR = notebook(
    "%matplotlib inline\nimport torch\nfrom autograd_check.notebook import check",
    "SCALE = 1\nUNUSED = open('/etc/passwd')\n\ndef scaled(x):\n    return SCALE * x",
    "def linear_forward(x, w, b):\n    '''Why is it\n    so?\n    '''\n    return x @ w, (x, w)",
    "torch.randn?\nprint('experiments')\nfor x in range(3): print(x)",
    "def linear_forward(x, w, b):\n    return scaled(x @ w + b), (x, w)",
    "def linear_backward(dout, cache):\n    x, w = cache\n    return dout @ w.T, x.T @ dout, dout.sum(0)",
    "check(linear_forward, linear_backward)",
    "this cell is not python",
)


def test_only_what_the_functions_need_is_taken() -> None:
    source = notebook_source(LINEAR, "a.ipynb", ("linear_forward", "linear_backward"))
    assert defined(source) == {"scaled", "linear_forward", "linear_backward"}
    assert "SCALE = 1" in source
    assert "def linear_forward(x, w, b):\n    return scaled(x @ w + b)" in source
    for gone in ("import torch", "UNUSED", "print", "check", "not python", "%"):
        assert gone not in source


def test_a_notebook_is_graded_as_the_file_it_holds(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "linear.ipynb").write_text(LINEAR)
    record = Session(support.course(), zygote).grade_file("linear", tmp_path / "linear.ipynb")
    assert (record.status, record.score) == ("passed", 10)


def test_a_function_that_is_not_python_is_shown_and_not_lost() -> None:
    source = notebook_source(notebook("x = 1", "def f(x):\n    return ((x"), "a.ipynb", ("f",))
    assert source == "def f(x):\n    return ((x\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "a.ipynb is not a notebook: its content is not what Jupyter writes"),
        ('{"cells": 3}', "a.ipynb is not a notebook: its content is not what Jupyter writes"),
        ("[" * 200_000, "a.ipynb is not a notebook: its content is not what Jupyter writes"),
        (notebook("prose", kind="markdown"), "a.ipynb is a notebook without code cells"),
    ],
)
def test_what_is_no_notebook_is_one_sentence(text: str, says: str) -> None:
    with pytest.raises(SubmissionError) as raised:
        notebook_source(text, "a.ipynb", ("f",))
    assert str(raised.value) == says
