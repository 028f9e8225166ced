"""Whatever a file is, it gives a text or one sentence that is true; of a notebook the lesson's functions are taken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_check.errors import SubmissionError
from autograd_check.grade.session import Session
from autograd_check.grade.submission import MOST_BYTES, defined, notebook_source, read_submission, source_of
from autograd_check.run.zygote import Zygote
from tests import support

WORD = 'x = "Zoë"\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "a.py is empty"),
        (b" \n\t\n", "a.py is empty"),
        (b"\xef\xbb\xbf\n", "a.py is empty"),
        (b"\x7fELF\xff\xfe", "a.py is not text in UTF-8 (byte 4): is it a compiled or compressed file?"),
        (b"x = 1\0\n", "a.py holds zero bytes, which python code cannot: is it a compiled or compressed file?"),
        (WORD.encode("utf-16"), "a.py is text in UTF-16, which python does not read: save it as UTF-8"),
        (WORD.encode("utf-32"), "a.py is text in UTF-32, which python does not read: save it as UTF-8"),
        (WORD.encode("latin-1"), "a.py is not text in UTF-8 (byte 7): it may be in Latin-1; save it as UTF-8"),
        (b"# coding: martian\nx = 1\n", "a.py has a coding line that python does not know: save it as UTF-8"),
        (b"# coding: punycode\nx = 1\n", "a.py says that it is in punycode, which is not read here: save it as UTF-8"),
        (b"# coding: ascii\n" + WORD.encode(), "a.py is not text in ascii (byte 23): it may be in Latin-1; save it as UTF-8"),
        (b"#" * (MOST_BYTES + 1), "a.py is larger than 1 MiB; a lesson is a page of python code"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(content: bytes, says: str) -> None:
    with pytest.raises(SubmissionError) as raised:
        source_of(content, "a.py")
    assert str(raised.value) == says


@pytest.mark.parametrize(
    "content",
    [WORD.encode(), WORD.encode("utf-8-sig"), b"# -*- coding: latin-1 -*-\n" + WORD.encode("latin-1")],
)
def test_text_is_read_as_python_reads_it(content: bytes) -> None:
    assert source_of(content, "a.py").endswith(WORD)
    assert not source_of(content, "a.py").startswith("\ufeff")


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "dangling.py").symlink_to(tmp_path / "nowhere")
    said = {name: read_submission(tmp_path / f"{name}.py").problem for name in ("folder", "pipe", "dangling", "gone")}
    texts = {name: problem.message.replace(str(tmp_path), "") for name, problem in said.items() if problem is not None}
    assert texts == {
        "folder": "/folder.py is a folder; a submission is a file of python code",
        "pipe": "/pipe.py is not a file but a pipe, a socket or a device",
        "dangling": "/dangling.py does not exist",
        "gone": "/gone.py does not exist",
    }


def said(content: bytes, name: str) -> tuple[str, str]:
    """The text and the sentence; one of them is empty."""
    try:
        return source_of(content, name, ("f",)), ""
    except SubmissionError as error:
        return "", str(error)


@given(st.one_of(st.binary(max_size=400), st.text(max_size=200).map(str.encode)), st.sampled_from(["a.py", "a.ipynb"]))
def test_any_content_gives_a_text_or_a_sentence(content: bytes, name: str) -> None:
    text, sentence = said(content, name)
    assert bool(text) != bool(sentence)
    assert not sentence or (sentence.startswith(f"{name} ") and "\n" not in sentence)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["cells", "cell_type", "source"]), inner),
    max_leaves=12,
)


@given(JSON)
def test_any_notebook_gives_a_text_or_a_sentence(content: object) -> None:
    text, sentence = said(json.dumps(content).encode(), "a.ipynb")
    assert text or sentence.startswith("a.ipynb is")


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
