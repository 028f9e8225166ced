"""Difference quotients in the source: f(v + h) − f(v − h), divided by that very h."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def difference_quotients(tree: ast.AST) -> Iterator[int]:
    """Line numbers of the quotients. Their numerator is written as one expression; other forms are seen when they run."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            step = _step(node.left, node.right)
            if step is not None and any(_divides(other, node, step) for other in ast.walk(tree)):
                yield node.lineno


def _step(above: ast.AST, below: ast.AST) -> ast.expr | None:
    """The h of `above` = f(v + h) and `below` = f(v − h), where f is any expression in which v is one part."""
    for part in ast.walk(above):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            point, step = ast.dump(part.left), ast.dump(part.right)
            written = ast.dump(above)
            moved = ast.dump(part)
            back = f"BinOp(left={point}, op=Sub(), right={step})"
            if written != moved and ast.dump(below) == written.replace(moved, back):
                return part.right
    return None


def _divides(node: ast.AST, difference: ast.AST, step: ast.expr) -> bool:
    """Whether `node` divides something that holds `difference` by something that holds `step`, or by that number or twice it."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
        return False
    if not any(part is difference for part in ast.walk(node.left)):
        return False
    if isinstance(step, ast.Constant) and isinstance(step.value, (int, float)):
        numbers = [part.value for part in ast.walk(node.right) if isinstance(part, ast.Constant)]
        return step.value != 0 and abs(step.value) < 0.1 and any(number in (step.value, 2 * step.value) for number in numbers)
    return any(ast.dump(part) == ast.dump(step) for part in ast.walk(node.right))
