"""Layers that carry a state from call to call (running statistics): the state is an object of their own and never leaves this side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autograd_check.course.values import StateAfter
from autograd_check.run.failures import WrongArity
from autograd_check.run.marshal import fresh, type_name
from autograd_check.verify.candidate import Point
from autograd_check.verify.tensors import is_tensor


def bind_state(name: str, function: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
    """`function` itself, or where `args` end in a `StateAfter`, a function that puts the state there and returns `(out, cache)`.

    The state is made anew for every call: from None, through all the calls before. The result raises `WrongArity` where a
    call returns no state.
    """
    if not args or not isinstance(args[-1], StateAfter):
        return function

    def after_calls(calls: Sequence[Point]) -> Any:
        state = None
        for point in calls:
            given = [fresh(value) for value in point.primals.values()]
            named = {key: fresh(value) for key, value in point.hyper.items()}
            _, state, _ = split_state(name, function(*given, state, **named), state)
        return state

    def bound(*arguments: Any, **hyper: Any) -> tuple[Any, Any]:
        *primals, after = arguments
        state = after_calls(after.calls)
        after_calls(after.others)
        out, _, cache = split_state(name, function(*primals, state, **hyper), state)
        return out, cache

    return bound


def split_state(name: str, result: Any, given: Any) -> tuple[Any, Any, Any]:
    """`(out, state, cache)` of what a layer returned; `((out, state), cache)` is as good.

    So is `(out, cache)` where the cache is a dict with an entry "state", or where the layer was `given` a state, which it may
    have changed in place. Raises `WrongArity` for anything else.
    """
    items = list(result) if isinstance(result, (tuple, list)) else []
    if len(items) == 3:
        return items[0], items[1], items[2]
    if len(items) == 2:
        first, cache = items
        if isinstance(first, (tuple, list)) and len(first) == 2 and is_tensor(first[0]):
            return first[0], first[1], cache
        if isinstance(cache, Mapping) and "state" in cache:
            return first, cache["state"], cache
        if given is not None:
            return first, given, cache
    returned = f"{len(items)} values" if items else "None" if result is None else f"one {type_name(result).rpartition('.')[2]}"
    raise WrongArity(f"{name} must return (out, state, cache); it returned {returned}")
