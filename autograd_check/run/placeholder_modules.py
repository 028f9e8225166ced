"""Packages that a file imports and no layer needs: plotting, progress bars, data sets. Here they are empty stand-ins."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

PLOTTING = frozenset({"matplotlib", "mpl_toolkits", "pylab", "seaborn", "plotly", "IPython", "ipywidgets"})
"""Never imported: they take a second, want a folder to write to, and show nothing here."""


@dataclass
class Loading:
    """Whether the file is still being loaded; `over` is set when that is done."""

    over: bool = False


class Absent(ModuleType):
    """A module that is not there, and any part of it: while the file loads it can be called, indexed and changed, to no effect.

    A decorator taken from it leaves the function as it is. Once loading is over, a function that uses it gets the
    `ModuleNotFoundError` that the import did not raise.
    """

    def __init__(self, name: str, loading: Loading) -> None:
        super().__init__(name)
        self.__dict__["_loading"] = loading

    def _part(self, name: str = "") -> Absent:
        if self._loading.over:
            root = self.__name__.partition(".")[0]
            raise ModuleNotFoundError(f"No module named {root!r} where this is graded; a layer does without it", name=root)
        return Absent(f"{self.__name__}.{name}" if name else self.__name__, self._loading)

    __all__: tuple[str, ...] = ()  # what `from … import *` looks for

    def __getattr__(self, name: str) -> Any:
        if name == "_loading" or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return self._part(name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Another stand-in; or the one function that was given, which is then decorated."""
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else self._part()

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()

    def __getitem__(self, key: Any) -> Any:
        return self._part()

    def __setitem__(self, key: Any, value: Any) -> None:
        self._part()

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *raised: object) -> None:
        return None


def tried(source: str) -> frozenset[str]:
    """Top-level packages that a file imports inside a `try`: it knows what to do without them."""
    if "try" not in source:  # most files; to read them once more takes as long as to compile them
        return frozenset()
    blocks = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Try)]
    names: set[str] = set()
    for statement in (part for block in blocks for item in block.body for part in ast.walk(item)):
        if isinstance(statement, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            names.add(statement.module.partition(".")[0])
    return frozenset(names)
