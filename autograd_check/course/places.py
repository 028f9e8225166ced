"""Where things stand in a file of a course: the line that its author must look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograd_check.course.imported import imported_names


@dataclass(frozen=True)
class Places:
    """A file by its name as shown, and the lines of what stands in it."""

    file: Path
    tree: ast.Module

    @classmethod
    def of(cls, text: str, file: Path) -> Places:
        """The places of a text. Raises `SyntaxError` where it is not python."""
        return cls(file, ast.parse(text))

    def at(self, line: int) -> str:
        """`solutions/u02_network/linear.py:40`."""
        return f"{self.file}:{line}"

    @property
    def lesson(self) -> int:
        """The line of `LESSON = ...`; 1 where there is none."""
        return self.assigned("LESSON")

    def assigned(self, name: str) -> int:
        """The line in which the file gives a name its value; 1 where it does not."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == [name]:
                return node.lineno
        return 1

    def keyword(self, *names: str, task: int | None = None) -> int:
        """The line of the first of these keywords that is written (by one task of the lesson); that of the task, or LESSON."""
        call = self._task(task)
        root: ast.AST = self.tree if call is None else call
        for name in names:
            for keyword in _keywords(root, name):
                return keyword.value.lineno
        return self.lesson if call is None else call.lineno

    def written(self, name: str, task: int) -> bool:
        """Whether a task of the lesson has a keyword."""
        call = self._task(task)
        return call is not None and any(_keywords(call, name))

    def text(self, text: str, inside: str) -> int | None:
        """The line of a literal text under a keyword of that name, else anywhere in the file; None where it is not written."""
        roots: list[ast.AST] = [*(keyword.value for keyword in _keywords(self.tree, inside)), self.tree]
        literals = (node for root in roots for node in ast.walk(root) if isinstance(node, ast.Constant))
        return next((node.lineno for node in literals if node.value == text), None)

    def call(self, *names: str) -> int | None:
        """The line of the first call of one of these functions; None where there is none."""
        calls = (node for node in ast.walk(self.tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
        return min((node.lineno for node in calls if getattr(node.func, "id", "") in names), default=None)

    def function(self, name: str) -> int:
        """The line of `def NAME`; that of LESSON where the file does not define it."""
        defined = (node for node in self.tree.body if isinstance(node, ast.FunctionDef))
        return next((node.lineno for node in defined if node.name == name), self.lesson)

    def imported(self, lesson: str) -> int:
        """The line that imports from another lesson; 1 where there is none."""
        imports = (node for node in ast.walk(self.tree) if isinstance(node, ast.Import | ast.ImportFrom))
        return next((node.lineno for node in imports if lesson in imported_names(ast.unparse(node))), 1)

    def _task(self, number: int | None) -> ast.Call | None:
        """The call that makes a task; None where it is not written out under `tasks`."""
        for keyword in _keywords(self.tree, "tasks"):
            elements = getattr(keyword.value, "elts", [])
            if number is not None and number < len(elements) and isinstance(elements[number], ast.Call):
                call: ast.Call = elements[number]
                return call
        return None


def _keywords(root: ast.AST, name: str) -> Iterator[ast.keyword]:
    return (node for node in ast.walk(root) if isinstance(node, ast.keyword) and node.arg == name)
