"""Tasks with a forward and a backward: plain layers, layers with a state, layers that drop entries at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autograd_check.course.probe import Convention, Probe
from autograd_check.course.shapes import Signature


@dataclass(frozen=True)
class Passes:
    """What every task with a forward and a backward has: a name, and the functions called after it."""

    name: str

    @property
    def forward(self) -> str:
        """Name of the forward function."""
        return f"{self.name}_forward"

    @property
    def backward(self) -> str:
        """Name of the backward function."""
        return f"{self.name}_backward"

    @property
    def functions(self) -> tuple[str, ...]:
        """All function names that the task needs."""
        return (self.forward, self.backward)


@dataclass(frozen=True)
class Reach:
    """Probes beyond the idea of a lesson: one finding for all of them, which leaves the verdict on everything else alone.

    `says` is what is not there yet where one of them fails.
    """

    name: str
    says: str
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Layer(Passes):
    """`NAME_forward(primals..., *, hyper) -> (out, cache)` and `NAME_backward(dout, cache) -> gradients`.

    `oracle` takes the same primals and hyperparameters, is built from torch's own functions, and returns `out` alone.
    `wrt` are the primals that get a gradient, in order. `leaves` names the parts of a nested primal's tuples
    (`{"params": ("w", "b")}` reports `dparams[2].w`). `refuses` are probes whose forward must raise `ValueError` (see
    `Probe`). `bench` is the size at which speed is measured (the first probe if there is none). `readings` are other
    definitions that the lesson's name stands for elsewhere: code whose forward is one of them is judged by it. A `swift` layer
    is timed at the size of `bench` by the check as well. `reaches` are judged apart. `signature` are its shapes, where they
    were written; `automatic` are the probes that follow from them, by name with the reason why one was not made.
    """

    wrt: tuple[str, ...]
    oracle: Callable[..., Any]
    probes: tuple[Probe, ...]
    refuses: tuple[Probe, ...] = ()
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bench: Probe | None = None
    readings: tuple[Callable[..., Any], ...] = ()
    swift: bool = False
    reaches: tuple[Reach, ...] = ()
    signature: Signature | None = None
    automatic: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """Several calls of a layer with a state, each given the state that the one before returned; None at first."""

    name: str
    calls: tuple[Probe, ...]


@dataclass(frozen=True)
class Rival:
    """Another definition in use: code that follows `oracle` everywhere is right, but for the `convention`."""

    convention: Convention
    oracle: Callable[..., Any]


@dataclass(frozen=True)
class Stateful(Passes):
    """A layer with a state, such as running statistics: `NAME_forward(primals..., state, *, hyper) -> (out, state, cache)`.

    `NAME_backward(dout, cache)` gives the gradients of the primals in `wrt`; the state is a constant. `oracle` takes the same
    arguments as the forward and returns `(out, state)`. The state is the student's own: it is judged by what later calls of
    a run make of it. Every call of the `runs` is checked as a `Layer` is; a first run that shows each mode in its first two
    calls has both differenced. `refuses` are probes without a state, refused on the first call.
    """

    wrt: tuple[str, ...]
    oracle: Callable[..., Any]
    runs: tuple[Run, ...]
    rivals: tuple[Rival, ...] = ()
    refuses: tuple[Probe, ...] = ()
    leaves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signature: Signature | None = None


@dataclass(frozen=True)
class Stochastic(Passes):
    """A layer that drops entries at random: `NAME_forward(primals..., *, p, train, generator) -> (out, cache)`.

    In training each entry of `oracle(primals...)`, the layer without its noise, is dropped with probability p, or else
    divided by 1 − p; otherwise nothing is dropped. How the mask is drawn is free: it is read from the code's own output, and
    rate, scale and gradient are judged apart, for every p in `rates`. Where the oracle is exactly 0 the output cannot show the
    mask, so it is read from the gradient there. `bulk` (and each of `bulks`) has a big output, for the tests of the rate and of
    independence; `false_alarm` is the probability, per task and seed, that they reject right code.
    """

    wrt: tuple[str, ...]
    oracle: Callable[..., Any]
    probes: tuple[Probe, ...]
    bulk: Probe
    bulks: tuple[Probe, ...] = ()
    rates: tuple[float, ...] = (0.0, 0.1, 0.5, 0.9)
    false_alarm: float = 1e-9
    signature: Signature | None = None
