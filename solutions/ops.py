"""Whose layers a network trains with: the reference's, or a student's with the missing ones borrowed from the reference."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autograd_check.errors import CourseError

UNIT = "u02_network"
# in the order in which they build on one another; a lesson of another unit is written UNIT/NAME
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "linear": ("linear_forward", "linear_backward"),
    "relu": ("relu_forward", "relu_backward"),
    "bce_with_logits": ("bce_with_logits_forward", "bce_with_logits_backward"),
    "mlp": ("mlp_forward", "mlp_backward"),
    "initialisation": ("he_normal",),
    "sgd": ("sgd_step",),
    "broadcast_hunt": ("loss_and_gradients", "accuracy", "fit"),
}
CNN_FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "linear": ("linear_forward", "linear_backward"),
    "relu": ("relu_forward", "relu_backward"),
    "initialisation": ("he_normal",),
    "u04_losses/cross_entropy": ("cross_entropy_forward", "cross_entropy_backward"),
    "u05_optimisers/adamw": ("adamw_step",),
    "u05_optimisers/cosine_schedule": ("cosine_schedule",),
    "u07_convolution/conv2d_fast": ("conv2d_fast_forward", "conv2d_fast_backward"),
    "u07_convolution/maxpool2d": ("maxpool2d_forward", "maxpool2d_backward"),
    "u07_convolution/cnn": ("cnn_forward", "cnn_backward"),
}


@dataclass(frozen=True)
class Ops:
    """The functions that a network is made of, by name, and the lessons that were borrowed, each with the reason."""

    functions: Mapping[str, Callable[..., Any]]
    borrowed: Mapping[str, str]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """`ops.mlp_forward` is `ops.functions["mlp_forward"]`."""
        try:
            return self.functions[name]
        except KeyError:
            raise AttributeError(name) from None


def load_ops(whose: str, root: Path, wanted: Mapping[str, tuple[str, ...]] = FUNCTIONS) -> Ops:
    """The `wanted` functions of `solutions`, or of the student's `lessons`, in the course folder `root`.

    A lesson of the student's that is missing, unfinished or cannot be run is borrowed from the reference, for the lessons that
    build on it as well.

    Raises:
        CourseError: `whose` is neither.
    """
    if whose not in ("solutions", "lessons"):
        raise CourseError(f"--ops must be solutions or lessons, not {whose!r}.")
    functions: dict[str, Callable[..., Any]] = {}
    borrowed: dict[str, str] = {}
    with _importing_from(root):
        for place, names in wanted.items():
            unit, _, lesson = place.rpartition("/")
            unit = unit or UNIT
            module = importlib.import_module(f"solutions.{unit}.{lesson}")
            if whose == "lessons":
                module = _students(unit, lesson, names, root, module, borrowed)
            functions.update((name, getattr(module, name)) for name in names)
    return Ops(functions, borrowed)


def _students(
    unit: str,
    lesson: str,
    names: tuple[str, ...],
    root: Path,
    reference: ModuleType,
    borrowed: dict[str, str],
) -> ModuleType:
    """The student's module, or the reference in its place, for later imports too; `borrowed` gets the reason."""
    name = f"lessons.{unit}.{lesson}"
    reason = _unwritten(root / "lessons" / unit / f"{lesson}.py", names)
    if not reason:
        try:
            return importlib.import_module(name)
        except Exception as error:
            reason = f"it cannot be run ({type(error).__name__}: {error})"
    borrowed[lesson] = reason
    sys.modules[name] = reference
    return reference


def _unwritten(path: Path, names: tuple[str, ...]) -> str:
    """Why a file does not hold these functions yet; empty where it does."""
    if not path.is_file():
        return "there is no such file"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError) as error:
        return f"it is not valid Python ({error})"
    bodies = {node.name: node.body for node in tree.body if isinstance(node, ast.FunctionDef)}
    unwritten = [name for name in names if name not in bodies or any(map(_is_not_implemented, bodies[name]))]
    return (
        f"{' and '.join(unwritten)} {'is' if len(unwritten) == 1 else 'are'} not written yet"
        if unwritten
        else ""
    )


def _is_not_implemented(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Raise) and "NotImplementedError" in ast.dump(statement)


@contextmanager
def _importing_from(root: Path) -> Iterator[None]:
    """The course folder in front of `sys.path`; afterwards no module named `lessons` is left behind."""
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "lessons"}
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.split(".")[0] == "lessons"]:
            del sys.modules[name]
        sys.modules.update(kept)
