"""The smallest input that shows a mistake as python code, to be pasted into a REPL."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from autograd_check.course.spec import Stateful
from autograd_check.grade.shrink import Returned, Smallest
from autograd_check.requests import Seed, StateAfter
from autograd_check.verify.candidate import Point


def snippet(found: Smallest) -> str:
    """Code that runs the student's file on the smallest input and prints both results.

    A file of a `lessons/` is imported as its lesson, to be run in the folder that holds it; any other is run by its path.
    """
    return "\n".join([*_imports(found), *_inputs(found), *_calls(found), *_shown(found)]) + "\n"


def _imports(found: Smallest) -> Iterator[str]:
    yield "import torch"
    names = found.task.functions if found.dout is not None else found.task.functions[:1]
    parts = found.file.resolve().with_suffix("").parts[-3:]
    if parts[0] == "lessons" and all(part.isidentifier() for part in parts):
        yield f"from {'.'.join(parts)} import {', '.join(names)}"
    else:
        yield "from runpy import run_path"
        yield f"mine = run_path({str(found.file)!r})"
        yield f"{', '.join(names)} = {', '.join(f'mine[{name!r}]' for name in names)}"


def _inputs(found: Smallest) -> Iterator[str]:
    for name, value in found.point.primals.items():
        if not isinstance(value, StateAfter):
            yield f"{name} = {_code(value)}"


def _calls(found: Smallest) -> Iterator[str]:
    task, point = found.task, found.point
    if isinstance(task, Stateful):
        after = point.primals["state"]
        yield "state = None"
        for call in after.calls:
            given = ", ".join([*map(_code, call.primals.values()), "state", *_hyper(call)])
            yield from _with_state(found, "_", "_", f"{task.forward}({given})")
        names = ", ".join([*(name for name in point.primals if name != "state"), "state", *_hyper(point)])
        yield from _with_state(found, "out", "cache", f"{task.forward}({names})")
    else:
        result = "out" if found.subject == "out" and found.raises else "out, cache"
        yield f"{result} = {task.forward}({', '.join([*point.primals, *_hyper(point)])})"
    if found.dout is not None:
        yield f"dout = {_code(found.dout)}"
        yield f"{_left(found)} = {task.backward}(dout, cache)"


def _with_state(found: Smallest, out: str, cache: str, call: str) -> Iterator[str]:
    """The lines that take apart what a forward with a state returns."""
    match found.returns:
        case Returned.APART:
            yield f"{out}, state, {cache} = {call}"
        case Returned.WITH_OUT:
            yield f"({out}, state), {cache} = {call}"
        case Returned.IN_CACHE:
            yield f"{out}, cache = {call}"
            yield 'state = cache["state"]'


def _left(found: Smallest) -> str:
    names = [f"d{name}" for name in found.task.wrt]
    if found.answers > len(names):
        names.append("*_")
    return f"({names[0]},)" if len(names) == 1 and found.answers == 1 else ", ".join(names)


def _hyper(point: Point) -> list[str]:
    return [f"{name}={_code(value)}" for name, value in point.hyper.items()]


def _shown(found: Smallest) -> Iterator[str]:
    what = found.subject + "".join(f"[{part!r}]" for part in found.path)
    if found.raises:
        yield f"# raises {found.raises.splitlines()[0]}"
    else:
        value = f"{what}.tolist()" if isinstance(found.got, Tensor) else what
        yield f'print("you return           {what} =", {value})'
    yield f'print("the definition gives {what} =", {_numbers(found.expected.tolist())})'


def _code(value: Any) -> str:
    """An expression for a nest of tensors, numbers and generators."""
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, Seed):
        return f"torch.Generator().manual_seed({value.value})"
    if isinstance(value, list):
        return f"[{', '.join(map(_code, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_code, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def _tensor(tensor: Tensor) -> str:
    dtype = "" if tensor.dtype in (torch.int64, torch.bool) else f", dtype={tensor.dtype}"
    if not tensor.is_contiguous():
        if tensor.dim() < 2:
            return f"torch.tensor({_numbers(tensor.tolist())}{dtype}).repeat_interleave(2)[::2]"
        return f"torch.tensor({_numbers(tensor.mT.tolist())}{dtype}).mT"
    if tensor.numel() > 4 or not tensor.numel():
        for value, name in ((0, "zeros"), (1, "ones")):
            if bool((tensor == value).all()):
                made = dtype or (", dtype=torch.int64" if tensor.dtype == torch.int64 else "")
                return f"torch.{name}({', '.join(map(str, tensor.shape))}{made})"
    return f"torch.tensor({_numbers(tensor.tolist())}{dtype})"


def _numbers(value: Any) -> str:
    """Nested lists of numbers, infinities and nan as python writes them."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_numbers, value))}]"
    return _code(value)
