"""The page for authors: all of its examples run, and there is one for every word."""

from __future__ import annotations

import ast
import re
from typing import Any

import torch
import torch.nn.functional as F

import autograd_check.course as vocabulary
from autograd_check.course.standard_mistakes import STANDARD
from autograd_check.requests import Code
from tests import support

PAGE = (support.ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_runs() -> None:
    words = {name: getattr(vocabulary, name) for name in vocabulary.__all__}
    space: dict[str, Any] = {"torch": torch, "F": F, "Code": Code, **words}
    for example in EXAMPLES:
        exec(compile(example, "authoring.md", "exec"), space)
    assert space["LESSON"].functions == ("square_forward", "square_backward")
    assert len(EXAMPLES) >= 10


def test_every_word_has_an_example() -> None:
    used = {node.id for example in EXAMPLES for node in ast.walk(ast.parse(example)) if isinstance(node, ast.Name)}
    assert set(vocabulary.__all__) - used == set()


def test_every_standard_mistake_is_named() -> None:
    text = re.sub(r"\s+", " ", PAGE)
    assert [what for what in STANDARD if what not in text] == []
