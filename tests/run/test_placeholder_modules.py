"""Imports that no layer needs: plotting, data sets, packages that are not installed where the file is graded."""

from __future__ import annotations

from typing import Any

import pytest

from autograd_check.run.placeholder_modules import tried

HARMLESS = {
    "plots while loading": "import matplotlib.pyplot as plt\nplt.rcParams['a'] = 3\nfig = plt.figure()\nplt.plot([1], label='a')",
    "a part of a package": "from nowhere_at_all.a.b import c, d as e\nc(1).d[2].e",
    "everything of a package": "from nowhere_at_all import *",
    "a decorator": "import nowhere_at_all as n\n@n.jit\ndef g(): return 1\n@n.jit(fast=True)\ndef h(): return 2\nassert (g(), h()) == (1, 2)",
    "a base class": "import nowhere_at_all\nclass Net(nowhere_at_all.nn.Module):\n    pass\nNet()",
    "a loop and a context": "import nowhere_at_all as n\nfor batch in n.load(): 1 / 0\nwith n.open() as stream: pass",
}


@pytest.mark.parametrize("source", HARMLESS.values(), ids=HARMLESS.keys())
def test_what_a_file_does_with_it_while_it_loads(open_candidate: Any, source: str) -> None:
    candidate = open_candidate(f"{source}\ndef f(x): return x + 1\n")
    assert candidate.loaded().failure is None
    assert candidate.call("f", [1]).value == 2


def test_a_function_that_needs_it_says_what_is_missing(open_candidate: Any) -> None:
    failure = open_candidate("import nowhere_at_all as n\ndef f(x):\n    return n.exp(x)\n").call("f", [1]).failure
    assert (failure.cause, failure.exception, failure.where) == ("crashed", "ModuleNotFoundError", "student.py:3")
    assert failure.says == "No module named 'nowhere_at_all' where this is graded; a layer does without it"


def test_a_file_that_can_do_without_it_is_told(open_candidate: Any) -> None:
    source = "try:\n    import nowhere_at_all as xp\nexcept ImportError:\n    import numpy as xp\ndef f(): return float(xp.sqrt(4.0))\n"
    assert open_candidate(source).call("f", []).value == 2.0


def test_what_is_tried() -> None:
    assert tried("try:\n    import a.b, c\n    from d.e import f\nexcept ImportError:\n    import g\nimport h\n") == {
        "a",
        "c",
        "d",
    }
