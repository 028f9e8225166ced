"""The page for authors: all of its examples run, and there is one for every word."""

from __future__ import annotations

import ast
import re
from typing import Any

import torch
import torch.nn.functional as F

import autograd_check.course as vocabulary
from autograd_check.causes import Cause
from autograd_check.course import regimes
from autograd_check.course.standard_mistakes import STANDARD
from autograd_check.course.words import ReachOf, label
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


def described(word: Any) -> str:
    """What a word of a family is called; the words of a reach are in brackets."""
    if isinstance(word, str):
        return f"`{word}`"
    name = word.name or label(word.given)
    return f"{name} ({'; '.join(map(described, word.probes))})" if isinstance(word, ReachOf) else name


def test_the_tables_are_in_step_with_the_vocabulary() -> None:
    """Causes with their meaning, standard mistakes with their cause, families with what is in them."""
    causes = [f"| `{cause.name}` | {cause.sentence} |" for cause in Cause]
    made = [f"| `dw {what}` | `{cause.name}` |" for what, (cause, _) in STANDARD.items()]
    made += [
        "| `dw divided by N` | `EXTRA_BATCH_MEAN` |",
        "| `upstream ignored`, `upstream ignored in dw` | `IGNORES_UPSTREAM` |",
    ]
    families = {name: words for name, words in vars(regimes).items() if name.isupper() and isinstance(words, tuple)}
    shared = [f"| `{name}` | {'; '.join(map(described, words))} |" for name, words in families.items()]
    missing = [row for row in (*causes, *made, *shared) if row not in PAGE.splitlines()]
    assert missing == []
    assert len([line for line in PAGE.splitlines() if re.match(r"\| `[A-Z_]+` \|", line)]) == len(causes) + len(shared)
