"""Tasks with one function: a value, a step of an optimiser, an initial tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch.optim import Optimizer

from autograd_check.course.probe import Probe


@dataclass(frozen=True)
class Plain:
    """A function with a value and no backward: `oracle` takes the same arguments.

    Values agree to `tolerance`, relative, or to `absolute` (for values that are 0 only by cancellation).

    A probe's `primals` are positional arguments, `hyper` keyword arguments.
    """

    name: str
    oracle: Callable[..., Any]
    probes: tuple[Probe, ...]
    refuses: tuple[Probe, ...] = ()
    tolerance: float = 1e-12
    absolute: float = 0.0

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.name,)


@dataclass(frozen=True)
class UpdateRule:
    """One step of an optimiser; the trajectory must follow `torch.optim` for `steps` steps from random gradients.

    `twin(params, **hyper)` makes torch's optimiser. `together` steps take and return a list of tensors
    (`sgd_step(params, grads, *, lr) -> params`); others are `NAME_step(param, grad, state, *, ...) -> (param, state)`.
    Every entry of `hypers` is one probe.
    """

    name: str
    twin: Callable[..., Optimizer]
    hypers: tuple[Mapping[str, Any], ...]
    together: bool = False
    steps: int = 60
    tolerance: float = 1e-12

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (f"{self.name}_step",)


@dataclass(frozen=True)
class Initialiser:
    """`NAME(*sizes, generator=...)`: independent entries of mean 0 and standard deviation `std(*sizes)`, shape `sizes`.

    `law` is "normal" or "uniform". The test is statistical: `false_alarm` is the probability, per task, that right code is
    rejected on one seed.
    """

    name: str
    std: Callable[..., float]
    law: str
    sizes: tuple[tuple[int, ...], ...]
    false_alarm: float = 1e-9

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.name,)
