"""The tasks as a lesson writes them: shapes as text and words, made into what is checked when the lesson is loaded.

Each of these gives the task that `autograd_check.grade.kinds` checks. Its name is the lesson's unless it says another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch.optim import Optimizer

from autograd_check.causes import Cause
from autograd_check.course import functions, layers
from autograd_check.course.draws import Draw
from autograd_check.course.fields import refuse_misfit
from autograd_check.course.layers import Reach, Rival, Run
from autograd_check.course.probe import Convention, Probe
from autograd_check.course.resolve import Frame, Resolved
from autograd_check.course.shapes import Signature, parse
from autograd_check.course.words import At, ReachOf, Refused, RunOf, Word, label
from autograd_check.errors import CourseError

Given = Mapping[str, Any]
NOTHING: Given = {}


def Layer(
    shapes: str,
    *,
    oracle: Callable[..., Any],
    sizes: Given = NOTHING,
    name: str = "",
    wrt: tuple[str, ...] | None = None,
    hyper: Given = NOTHING,
    draw: Mapping[str, Draw] = NOTHING,
    bench: Given | None = None,
    probes: Sequence[Word] = (),
    readings: tuple[Callable[..., Any], ...] = (),
    swift: bool = False,
) -> layers.Layer:
    """A forward and a backward. All is optional but shapes, oracle and sizes.

    Args:
        shapes: what goes in and comes out, `x[N,D] w[D,M] b[M] -> out[N,M]` (`autograd_check.course.shapes`).
        oracle: the definition, from torch's own functions; takes the primals and hyperparameters and returns `out` alone.
        sizes: a number for every size of the shapes: distinct within each tensor, the first at least 3.
        name: of the functions, `NAME_forward` and `NAME_backward`; the lesson's by default.
        wrt: the primals that get a gradient, in order; by default all that hold no integers.
        hyper: what is passed where a probe says nothing and the functions have no default.
        draw: how primals are drawn where a probe says nothing; by default from a normal distribution.
        bench: sizes and hyperparameters at which it is timed.
        probes: points besides the automatic ones (`autograd_check.course.words`).
        readings: other definitions that the name stands for elsewhere; code that follows one is judged by it.
        swift: whether a check times it as well.

    Raises `CourseError` where any of it does not fit together.

    """
    refuse_misfit("probes", probes)
    signature = parse(shapes)
    frame = Frame(signature, oracle, sizes, hyper, draw)
    refusals = tuple(word for word in probes if isinstance(word, Refused))
    automatic = list(frame.automatic(refusals))
    return layers.Layer(
        name,
        wrt=_wrt(signature, wrt),
        oracle=oracle,
        probes=(*_made(automatic), *(frame.probe(word) for word in probes if isinstance(word, At))),
        refuses=tuple(frame.refusal(word) for word in refusals),
        leaves={primal: made.leaves for primal, made in draw.items() if made.leaves},
        bench=None if bench is None else frame.made("bench", frame.resolved(At("bench", bench))),
        readings=readings,
        swift=swift,
        reaches=tuple(_reach(frame, word) for word in probes if isinstance(word, ReachOf)),
        signature=signature,
        automatic={probe.name: why for probe, why in automatic},
    )


def Stochastic(
    shapes: str,
    *,
    oracle: Callable[..., Any],
    sizes: Given = NOTHING,
    bulk: Sequence[Given],
    name: str = "",
    wrt: tuple[str, ...] | None = None,
    draw: Mapping[str, Draw] = NOTHING,
    rates: tuple[float, ...] = (0.0, 0.1, 0.5, 0.9),
    false_alarm: float = 1e-9,
    probes: Sequence[At] = (),
) -> layers.Stochastic:
    """A layer that drops entries: `NAME_forward(primals..., *, p, train, generator)`; the oracle is it without its noise.

    `bulk` are sizes with many entries, for the tests of rate and independence, which reject right code with a probability of
    `false_alarm`. Raises `CourseError`.
    """
    refuse_misfit("probes", probes)
    signature = parse(shapes)
    frame = Frame(signature, oracle, sizes, NOTHING, draw, ("p", "train", "generator"))
    first, *others = [frame.made(label(given), frame.resolved(At("bulk", given))) for given in bulk]
    return layers.Stochastic(
        name,
        _wrt(signature, wrt),
        oracle,
        (*_made(frame.automatic(())), *map(frame.probe, probes)),
        first,
        tuple(others),
        rates,
        false_alarm,
        signature,
    )


def Stateful(
    shapes: str,
    *,
    oracle: Callable[..., Any],
    calls: Mapping[str, Given],
    sizes: Given = NOTHING,
    name: str = "",
    wrt: tuple[str, ...] | None = None,
    hyper: Given = NOTHING,
    draw: Mapping[str, Draw] = NOTHING,
    probes: Sequence[RunOf | Refused | At] = (),
    rivals: Sequence[Rival] = (),
) -> layers.Stateful:
    """A layer with a state that is handed from call to call, `state` in its shapes; a run is a word with one letter a call.

    `calls` says what each letter gives, `probes` are `run(...)`, `convention(..., run=)` and `refused(...)`. Every automatic
    probe is a run of all letters. Two rivals that may hold together are a third one. Raises `CourseError`.
    """
    refuse_misfit("probes", probes)
    signature = parse(shapes)
    frame = Frame(signature, oracle, sizes, hyper, draw)
    letters = tuple(calls)
    runs = []
    refusals = []
    for word in probes:
        if isinstance(word, RunOf):
            runs.append(_run(frame, word, calls))
        elif isinstance(word, Refused):
            refusals.append(frame.refusal(word))
        else:
            raise CourseError(f"{word}: the points of a layer with a state are runs, such as run({''.join(letters)!r}).")
    once = "".join(letters)
    automatic = [
        _run(frame, RunOf(once, probe_name, given), calls)
        for probe_name, given in frame.variations()
        if _runs(frame, RunOf(once, probe_name, given), calls)
    ]
    return layers.Stateful(
        name, _wrt(signature, wrt), oracle, (*runs, *automatic), tuple(rivals), tuple(refusals), signature=signature
    )


def Plain(
    shapes: str,
    *,
    oracle: Callable[..., Any],
    probes: Sequence[At | Refused],
    name: str = "",
    sizes: Given = NOTHING,
    hyper: Given = NOTHING,
    draw: Mapping[str, Draw] = NOTHING,
    tolerance: float = 1e-12,
    absolute: float = 0.0,
) -> functions.Plain:
    """A function with a value and no backward, called by its own name; it is tried at its `probes` alone.

    Values agree to `tolerance`, relative, or to `absolute` (for values that are 0 only by cancellation). A primal without
    brackets, `step -> lr[]`, is what the probe gives: a number, or a list by `nest(...)`. Raises `CourseError`.
    """
    refuse_misfit("probes", probes)
    frame = Frame(parse(shapes), oracle, sizes, hyper, draw)
    return functions.Plain(
        name,
        oracle,
        tuple(frame.probe(word) for word in probes if isinstance(word, At)),
        tuple(frame.refusal(word) for word in probes if isinstance(word, Refused)),
        tolerance,
        absolute,
    )


def UpdateRule(
    *,
    twin: Callable[..., Optimizer],
    probes: Sequence[At],
    name: str = "",
    hyper: Given = NOTHING,
    together: bool = False,
    steps: int = 60,
    tolerance: float = 1e-12,
) -> functions.UpdateRule:
    """A step of an optimiser, followed for `steps` steps beside `twin(params, **hyper)`, torch's own.

    `NAME_step(param, grad, state, *, ...)`, or (`together`) `NAME_step(params, grads, *, ...)`. `hyper` are defaults of the
    lesson that torch does not share.
    """
    refuse_misfit("probes", probes)
    named = tuple(dict(word.given) for word in probes)
    return functions.UpdateRule(name, partial(twin, **hyper) if hyper else twin, named, together, steps, tolerance)


def rival(oracle: Callable[..., Any], cause: Cause, says: str) -> Rival:
    """Another definition in use: code that follows it everywhere is right, but for this convention."""
    return Rival(Convention(cause, says), oracle)


def _made(automatic: Iterable[tuple[Probe, str]]) -> Iterator[Probe]:
    """The automatic probes that there is no reason not to make."""
    return (probe for probe, why in automatic if not why)


def _wrt(signature: Signature, wrt: tuple[str, ...] | None) -> tuple[str, ...]:
    if wrt is None:
        return signature.differentiable
    if not isinstance(wrt, (tuple, list)):
        raise CourseError(f"wrt must be a tuple of names: wrt=({wrt!r},), found {wrt!r} ({type(wrt).__name__}).")
    wrong = [name for name in wrt if name not in signature.differentiable]
    if wrong:
        raise CourseError(f"wrt={wrt}: only {', '.join(signature.differentiable) or 'nothing'} can have a gradient.")
    return wrt


def _reach(frame: Frame, word: ReachOf) -> Reach:
    return Reach(word.name, word.says, tuple(frame.probe(probe) for probe in word.probes))


def _run(frame: Frame, word: RunOf, calls: Mapping[str, Given]) -> Run:
    if not set(word.letters) <= set(calls) or not word.letters:
        raise CourseError(f"run({word.letters!r}): the calls of this task are {', '.join(calls)}.")
    return Run(word.name or f"{word.letters}{', ' if word.given else ''}{label(word.given)}", tuple(_calls(frame, word, calls)))


def _calls(frame: Frame, word: RunOf, calls: Mapping[str, Given]) -> list[Probe]:
    whole = {name: value for name, value in word.given.items() if name not in calls}
    made = []
    for number, letter in enumerate(word.letters, 1):
        given = {**calls[letter], **whole, **word.given.get(letter, {})}
        found: Resolved = frame.resolved(At(word.name, given))
        made.append(frame.made(f"call {number}, {label(calls[letter])}", found, word.convention))
    return made


def _runs(frame: Frame, word: RunOf, calls: Mapping[str, Given]) -> bool:
    stateless = (replace(probe, primals={**probe.primals, "state": lambda _: None}) for probe in _calls(frame, word, calls))
    return not any(map(frame.trouble, stateless))
