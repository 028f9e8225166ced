"""State on the student's side: running statistics and whole optimisations, whose states are objects of its own and never cross."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from autograd_check.requests import StateAfter
from autograd_check.run.failures import WrongArity
from autograd_check.run.marshal import fresh, plain, type_name
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


class Trajectory:
    """Parameters step by step, each step from copies; `given` remembers every argument beside its original.

    `step` is called as `step(param, grad, state, **hyper)` for every parameter in turn, the state being whatever its call
    before returned for that parameter (None at first); `together` as `step(params, grads, **hyper)`.
    """

    def __init__(self, name: str, step: Callable[..., Any], hyper: Mapping[str, Any], *, together: bool) -> None:
        self._name = name
        self._step = step
        self._hyper = hyper
        self._copied = {name: value for name, value in hyper.items() if not _is_constant(value)}
        self._together = together
        self.given: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def steps(self, starts: Sequence[Any], gradients: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
        """The parameters after every step, plain. Ends early with the first parameter that is no tensor any more.

        Raises `WrongArity` where a step returns another form, and whatever the step raises.
        """
        params, states = list(starts), [None] * len(starts)
        for grads in gradients:
            params, states = self._moved(params, list(grads), states)
            yield params
            if not all(map(is_tensor, params)):
                return

    def _moved(self, params: list[Any], grads: list[Any], states: list[Any]) -> tuple[list[Any], list[Any]]:
        if self._together:
            result = self._call({"params": params, "grads": grads})
            return [plain(param) for param in self._items(result, len(params), f"a list of {len(params)} new parameters")], states
        pairs = [
            self._items(self._call({"param": param, "grad": grad}, state), 2, "(param, state)")
            for param, grad, state in zip(params, grads, states, strict=True)
        ]
        return [plain(param) for param, _ in pairs], [state for _, state in pairs]

    def _call(self, originals: dict[str, Any], *state: Any) -> Any:
        given = {name: fresh(value) for name, value in originals.items()}
        self.given.append((originals, given))
        hyper = {**self._hyper, **{name: fresh(value) for name, value in self._copied.items()}}
        return self._step(*given.values(), *state, **hyper)

    def _items(self, result: Any, count: int, expected: str) -> Sequence[Any]:
        many = isinstance(result, (tuple, list))
        if many and len(result) == count:
            return list(result)
        returned = f"{len(result)} values" if many else "None" if result is None else f"one {type_name(result)}"
        raise WrongArity(f"{self._name} returned {returned}, expected {expected}")


def _is_constant(value: Any) -> bool:
    """Whether nobody can change a value, so that it needs no copies."""
    return all(map(_is_constant, value)) if type(value) is tuple else value is None or type(value) in (bool, int, float, str)
