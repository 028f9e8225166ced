from __future__ import annotations

from bdb import BdbQuit

import pytest

from autograd_check.run.debugger import without_debugger
from autograd_check.run.failures import leaves_debugger


@pytest.mark.parametrize(
    ("source", "without"),
    [
        ("breakpoint()\n", "pass\n"),
        ("def f(x):\n    breakpoint()\n    return x\n", "def f(x):\n    pass\n    return x\n"),
        ("import pdb; pdb.set_trace()\nx = 'ä'; breakpoint(); y = 1\n", "pass; pass\nx = 'ä'; pass; y = 1\n"),
        ("import ipdb\nipdb.set_trace()", "pass\npass"),
        ("from pdb import set_trace\nset_trace()\n", "pass\npass\n"),
    ],
)
def test_a_debugger_is_taken_out_and_every_line_stays_where_it_was(source: str, without: str) -> None:
    assert without_debugger(source) == without


@pytest.mark.parametrize(
    "source",
    [
        "# breakpoint()\n",
        "'breakpoint()'\n",
        "b = breakpoint\n",
        "breakpoint()\nx = " + "-" * 9_000 + "1\n",  # nested too deep for python itself
        "breakpoint(open('a'))\n",
        "import pdb as math\n",
        "import pdb, os\n",
        "pdb.os.system('a')\n",
        "breakpoint(\n",
        "x = 1\n",
    ],
)
def test_anything_else_stays_and_is_judged_as_it_is(source: str) -> None:
    assert without_debugger(source) == source


def test_what_q_raises_is_known_from_other_errors() -> None:
    assert leaves_debugger(BdbQuit())
    with pytest.raises(pytest.exit.Exception) as ended:
        pytest.exit("Quitting debugger")
    assert leaves_debugger(ended.value)
    assert not leaves_debugger(KeyboardInterrupt())
