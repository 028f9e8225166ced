"""Functions of earlier lessons that code under test borrows and the grader runs: its own process only asks for their values.

A question is plain: a function's name, tensors, numbers and containers of them, and the states of generators. The answer
holds the value, and what was decided on the way, so that a kink inside a borrowed function is seen like any other.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from types import ModuleType
from typing import Any

import torch
from torch import Generator

from autograd_check.errors import WireError
from autograd_check.run.branches import BranchRecorder
from autograd_check.run.marshal import fresh, plain
from autograd_check.verify.differences import central_differences
from autograd_check.verify.slope import SMOOTH

Functions = Mapping[str, Callable[..., Any]]

Ask = Callable[[dict[str, Any]], dict[str, Any]]
"""Hands a question to the grader and gives its answer."""

Names = Mapping[str, Mapping[str, bool]]
"""The functions that may be borrowed, by lesson: whether the grader is asked. One that takes functions runs where those are."""

QUESTION = {"function", "args", "kwargs", "generators"}


@dataclass(frozen=True)
class Lender:
    """The grader's side: the functions that may be borrowed, by lesson and by name."""

    lessons: Mapping[str, Functions] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, dict[str, bool]]:
        """As they are told to the process of the code under test."""
        return {
            lesson: {name: function is not central_differences for name, function in functions.items()}
            for lesson, functions in self.lessons.items()
        }

    def answer(self, question: Any) -> dict[str, Any]:
        """The value of a borrowed function, or what it raised. Raises `WireError` for what is no question about one."""
        function = self._function(question)
        try:
            generators = {name: _generator(state) for name, state in question["generators"].items()}
            with torch.no_grad(), BranchRecorder() as recorder:
                value = plain(function(*question["args"], **question["kwargs"], **generators))
        except Exception as error:  # the arguments do not fit: it is raised where the function was called
            return {"raised": [type(error).__name__, str(error)[:1000]]}
        states = {name: generator.get_state() for name, generator in generators.items()}
        return {"value": value, "decided": recorder.digest(), "generators": states}

    def here(self, question: dict[str, Any]) -> dict[str, Any]:
        """`answer` for code that runs in this process: on a thread of its own, where nobody records what is calculated."""
        answers: list[dict[str, Any]] = []
        thread = Thread(target=lambda: answers.append(self.answer(fresh(question))))
        thread.start()
        thread.join()
        return answers[0]

    def _function(self, question: Any) -> Callable[..., Any]:
        fits = isinstance(question, dict) and question.keys() == QUESTION and isinstance(question["args"], list)
        if not fits or not all(isinstance(question[part], dict) for part in ("kwargs", "generators")):
            raise WireError("expected a question about a borrowed function")
        for functions in self.lessons.values():
            function = functions.get(question["function"]) if isinstance(question["function"], str) else None
            if function is not None and function is not central_differences:
                return function
        raise WireError("expected the name of a borrowed function")


def _generator(state: Any) -> Generator:
    made = Generator()
    made.set_state(state)
    return made


def borrowed_modules(names: Names, ask: Ask) -> dict[str, ModuleType]:
    """The modules that stand for borrowed lessons where the code under test runs."""
    modules = {}
    for lesson, functions in names.items():
        modules[lesson] = module = ModuleType(lesson)
        for name, asked in functions.items():
            setattr(module, name, _borrowed(name, ask) if asked else central_differences)
    return modules


def _borrowed(name: str, ask: Ask) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return _asked(name, args, kwargs, ask)

    function.__name__ = function.__qualname__ = name
    return function


def _exception(kind: str, text: str) -> Exception:
    """An exception of python's own by its name, or else a `RuntimeError` that says its name."""
    made = getattr(builtins, kind, None)
    if isinstance(made, type) and issubclass(made, Exception):
        return made(text)
    return RuntimeError(f"{kind}: {text}")


@contextmanager
def _unseen() -> Iterator[None]:
    """Whoever records operations on this thread does not see those of sending and receiving."""
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        yield


def _asked(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], ask: Ask) -> Any:
    generators = {key: value for key, value in kwargs.items() if isinstance(value, Generator)}
    with _unseen():
        question = {
            "function": name,
            "args": plain(list(args)),
            "kwargs": plain({key: value for key, value in kwargs.items() if key not in generators}),
            "generators": {key: generator.get_state() for key, generator in generators.items()},
        }
        answer = ask(question)
    if "raised" in answer:
        raise _exception(*answer["raised"])
    for key, generator in generators.items():
        generator.set_state(answer["generators"][key])
    if answer["decided"] != SMOOTH:  # whoever records decisions here sees these as one operation's
        torch.tensor(list(answer["decided"])).clone()
    return answer["value"]
