"""Answers in what is handed out: a line of the reference that stands in the prose, in a docstring, a comment or a hint.

Code is compared with code by whoever reads it; here it is what an author writes for people, and forgets there. Prose says the
equation of a forward, which may look as its code does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from autograd_check.course.markers import Layout, Region, read_layout

SHORTEST = 20
"""A line of fewer characters (`return out, None`) gives nothing away."""

FORWARD, PROSE = "_forward", "this line"
"""The end of a forward's name, and what a line is called that is neither a hint nor another text of the specification."""

HANDED_OUT = ("title", "source", "hints")
"""The texts of a specification that somebody sees who has not passed."""

_VALUE = re.compile(r"(?:return|[^=()]+?[-+*/@]?=)\s(.+)")
_SIGNATURE = re.compile(r"\w+\([\w, ]*\)")


def given_away(source: str, where: Path) -> list[str]:
    """Every place of a solution file that hands out what stands between its solution markers. Raises `MarkerError`."""
    layout = read_layout(source, where)
    answers = _answers(source.split("\n"), layout)
    patterns = {answer: re.compile(rf"(?<!\w){re.escape(_tight(answer))}(?!\w)") for answer in answers}
    forward = {number for region in layout.regions if region.function.endswith(FORWARD) for number in _inside(region)}
    found = []
    for number, text, what in _handed_out(source, layout):
        secret = (answer for answer, line in answers.items() if what != PROSE or line not in forward)
        tight = _tight(text)
        told = next((answer for answer in secret if patterns[answer].search(tight)), "")
        if told:
            found.append(
                f"{where}:{number}: {what} gives the answer away: {told!r} stands in the solution (line {answers[told]}). Say it in "
                "words that lead there."
            )
    return found


def _tight(text: str) -> str:
    """A text without the blanks that python does not need."""
    return re.sub(r"\s*([^\w\s])\s*", r"\1", text)


def _answers(lines: list[str], layout: Layout) -> dict[str, int]:
    """What the reference computes, with its line: whole lines, and their right sides; but for what a hunt hands out anyway.

    A right side that only calls a function with names, `backward(dout, cache)`, is how prose writes a signature.
    """
    shown = {_plain(lines[number - 1]) for number in _numbers(layout, "STUB")}
    found: dict[str, int] = {}
    for number in _numbers(layout, "SOLUTION"):
        line = _plain(lines[number - 1])
        value = _VALUE.fullmatch(line)
        for text in (line, value[1] if value and not _SIGNATURE.fullmatch(value[1]) else ""):
            if len(text) >= SHORTEST and not any(text in each for each in shown):
                found.setdefault(text, number)
    return found


def _handed_out(source: str, layout: Layout) -> Iterator[tuple[int, str, str]]:
    """Texts that somebody sees who has not passed: line, text, and what it is."""
    hidden = {number for kind in ("SOLUTION", "STUB", "SPEC") for number in _numbers(layout, kind)}
    for number, line in enumerate(source.split("\n"), 1):
        if number not in hidden and not line.lstrip().startswith("def "):
            yield number, _plain(line), PROSE
    for keyword in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.keyword) and node.arg in HANDED_OUT):
        if keyword.value.lineno in hidden:
            for node in ast.walk(keyword.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.lineno, _plain(node.value), "a hint" if keyword.arg == "hints" else f"{keyword.arg}="


def _numbers(layout: Layout, kind: str) -> Iterator[int]:
    """The lines of all regions of one kind, without their markers."""
    return (number for region in layout.regions if region.kind == kind for number in _inside(region))


def _inside(region: Region) -> range:
    return range(region.first + 1, region.last)


def _plain(line: str) -> str:
    """A line without its comment's mark and with single blanks, as it is read."""
    return " ".join(line.strip().removeprefix("#").partition("  #")[0].split())
