"""Whole trainings: a function that fits parameters to data, followed step by step beside torch's gradient.

    Trains("fit", "x[N] y[N] -> w[] b[]", loss=..., data=line(...), probes=(at(lr=0.1, epochs=1), ...))

The function is `FUNCTION(data..., *, lr, epochs, ...)`; it returns the parameters, and with a `history` the pair of both. What it
does between its calls is its own: it is judged by its parameters after any number of epochs, which must be those of equal
steps down the gradient of `loss(params..., data...)`, by its history, and by whether it learns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.course.claims import Claim, Properties, Property, Unanswered
from autograd_check.course.shapes import Signature, parse
from autograd_check.course.words import At, label
from autograd_check.errors import CourseError
from autograd_check.requests import Candidate, Seed
from autograd_check.verify.tensors import leaves

Data = Callable[..., tuple[Tensor, ...]]
"""`data(seed, **sizes)`: what a training is fitted to."""

NEAR = 3e-6
"""How far a movement of the parameters may be off, relative: float32 constants are judged apart."""
EXACT = 1e-10
"""The same where it is asked whether all was float64."""
ROUND_OFF = 1e-12
"""What rounding leaves of a movement that is small beside the parameters themselves."""
FACTOR = 1e-8
"""How close to a whole multiple a step is that is one."""
MANY = 8
"""Standard errors by which a drawn weight's spread may miss the one that was asked for."""


def line(*, slope: float, offset: float, noise: float) -> Data:
    """x and y (N,) around a line that no seed turns round."""

    def data(seed: int, *, N: int) -> tuple[Tensor, ...]:
        generator = Generator().manual_seed(seed)
        x = torch.randn(N, generator=generator, dtype=torch.float64) + 0.5
        return x, slope * x + offset + noise * torch.randn(N, generator=generator, dtype=torch.float64)

    return data


def two_classes(*, noise: float = 0.1) -> Data:
    """x (N, D) and y (N, 1), of class 1 about where the sum of a row is positive."""

    def data(seed: int, *, N: int, D: int) -> tuple[Tensor, ...]:
        generator = Generator().manual_seed(seed)
        x = torch.randn(N, D, generator=generator, dtype=torch.float64)
        random = torch.randn(N, 1, generator=generator, dtype=torch.float64)
        return x, (x.sum(1, keepdim=True) + noise * random > 0).to(torch.float64)

    return data


@dataclass(frozen=True)
class He:
    """A start: params [(w, b), ...] of the sizes in a hyperparameter, w normal with deviation √(2 / fan_in), b zero."""

    hyper: str = "dims"
    sizes: tuple[int, ...] = (30, 100, 30, 1)


@dataclass(frozen=True)
class Reaches:
    """What a training must reach: a loss of at most `loss`, the better of two seeds, with these sizes and hyperparameters."""

    loss: float
    given: Mapping[str, Any]


def reaches(*, loss: float, **given: Any) -> Reaches:
    """A loss that the better of two seeds must reach."""
    return Reaches(loss, given)


def Trains(
    function: str,
    shapes: str,
    *,
    loss: Callable[..., Tensor],
    data: Data,
    probes: Sequence[At],
    sizes: Mapping[str, int],
    hyper: Mapping[str, Any] | None = None,
    start: str | He = "zeros",
    history: str | None = None,
    seeded: bool = False,
    learns: Reaches | None = None,
) -> Properties:
    """A training as claims, in the order in which they are checked.

    Args:
        function: its name.
        shapes: the data, and the parameters that it returns: tensors by name, or `params`, a nest.
        loss: of what it returns, then of its data.
        data: how the data is drawn: `line(...)`, `two_classes(...)`, or a function of a seed and the sizes.
        probes: `at(lr=..., epochs=..., N=...)`: after so many epochs the parameters are those of equal steps.
        sizes: of the data where a probe says nothing.
        hyper: what is passed besides `lr` and `epochs` where a probe says nothing.
        start: "zeros", "own" (whatever no epochs give), or `He()`.
        history: None, or "loss": one for each epoch, measured before its step.
        seeded: whether it takes a generator.
        learns: what it must reach.

    Raises `CourseError` where a probe does not say `lr` and `epochs`, or gives what there is not.

    """
    signature = parse(shapes)
    task = _Training(function, signature, loss, data, dict(sizes), dict(hyper or {}), start, history, seeded)
    points = [task.point(word) for word in probes]
    claims = [
        Property("start", lambda candidate, seed: _starts(task, candidate, seed)),
        Property("trajectory", lambda candidate, seed: _follows(task, points, candidate, seed)),
    ]
    if history:
        claims.append(
            Property("history", lambda candidate, seed: _tells(task, candidate, seed), subject=function, convention=True)
        )
    if seeded:
        claims.append(Property("repeatable", lambda candidate, seed: _repeats(task, candidate, seed)))
    if learns is not None:
        claims.append(Property("learns", lambda candidate, seed: _learns(task, learns, candidate, seed)))
    beside = (
        Property("tensors", lambda candidate, seed: _keeps_dtype(task, candidate, seed), function, convention=True),
        Property("unmodified", lambda candidate, seed: _leaves_data(task, candidate, seed), function, convention=True),
    )
    return Properties((function,), (*beside[1:], *claims, *beside[:1]), function)  # data that is changed explains the rest


@dataclass(frozen=True)
class _Point:
    """Sizes of the data and hyperparameters of one training."""

    sizes: Mapping[str, int]
    hyper: Mapping[str, Any]
    epochs: int


@dataclass(frozen=True)
class _Fit:
    """What one call returned: the parameters as float64 leaves, and the history; `leaves` is None for any other form."""

    leaves: list[Tensor] | None
    history: Any
    raw: Any
    changed: tuple[str, ...]


@dataclass(frozen=True)
class _Training:
    function: str
    signature: Signature
    loss: Callable[..., Tensor]
    data: Data
    sizes: dict[str, int]
    hyper: dict[str, Any]
    start: str | He
    history: str | None
    seeded: bool

    def point(self, word: At) -> _Point:
        """What a word gives. Raises `CourseError`."""
        sizes = {name: word.given[name] for name in word.given if name in self.sizes}
        hyper = {name: value for name, value in word.given.items() if name not in self.sizes}
        lacking = {"lr", "epochs"} - hyper.keys()
        if lacking:
            raise CourseError(f"{word}: say {' and '.join(sorted(lacking))} as well; sizes are {', '.join(self.sizes)}.")
        return self.usual(epochs=hyper.pop("epochs"), sizes=sizes, **hyper)

    def usual(self, *, epochs: int, sizes: Mapping[str, int] | None = None, **hyper: Any) -> _Point:
        return _Point({**self.sizes, **(sizes or {})}, {**self.hyper, **hyper}, epochs)

    def drawn(self, point: _Point, seed: int) -> tuple[Tensor, ...]:
        return self.data(seed, **point.sizes)

    def fitted(self, candidate: Candidate, data: Sequence[Tensor], point: _Point, seed: int, epochs: int) -> _Fit:
        """One call of the function. Raises `Unanswered`."""
        hyper: dict[str, Any] = {**point.hyper, "epochs": epochs}
        if self.seeded:
            hyper["generator"] = Seed(seed)
        outcome = candidate.call(self.function, tuple(data), hyper)
        if not outcome.ok:
            raise Unanswered(outcome.failure, self.function)
        value, history = outcome.value, None
        if self.history and isinstance(value, (tuple, list)) and len(value) == 2:
            value, history = value
        return _Fit(self._leaves(value), history, outcome.value, outcome.changed)

    @property
    def named(self) -> str:
        """What must come back, in words."""
        outs = self.signature.outs
        params = f"({', '.join(out.name for out in outs)}), {len(outs)} tensors" if len(outs) > 1 else outs[0].name
        shapes = {out.shape(self.sizes) for out in outs if out.axes is not None}
        params += " of shape ()" if shapes == {()} else ""
        return f"({params}, history)" if self.history else params

    def descend(self, starts: Sequence[Tensor], data: Sequence[Tensor], lr: float, steps: int) -> list[Tensor]:
        """Equal steps down torch's gradient."""
        now = list(starts)
        for _ in range(steps):
            now = [p - lr * g for p, g in zip(now, self.gradients(now, data), strict=True)]
        return now

    def gradients(self, now: Sequence[Tensor], data: Sequence[Tensor]) -> list[Tensor]:
        taped = [p.detach().clone().requires_grad_() for p in now]
        with torch.enable_grad():
            return list(torch.autograd.grad(self.loss(*self._nested(taped), *data), taped))

    def value(self, now: Sequence[Tensor], data: Sequence[Tensor]) -> float:
        with torch.no_grad():
            return float(self.loss(*self._nested(list(now)), *data))

    def _nested(self, flat: list[Tensor]) -> tuple[Any, ...]:
        """The leaves as the loss takes them: one by one, or as a list of pairs (w, b)."""
        if self.signature.outs[0].axes is not None:
            return tuple(flat)
        return (list(zip(flat[::2], flat[1::2], strict=True)),)

    def _leaves(self, value: Any) -> list[Tensor] | None:
        """The parameters, or None where they are not what was asked for."""
        outs = self.signature.outs
        if outs[0].axes is None:
            pairs = value if isinstance(value, (tuple, list)) else ()
            flat = [part for pair in pairs if isinstance(pair, (tuple, list)) and len(pair) == 2 for part in pair]
            right = bool(pairs) and len(flat) == 2 * len(pairs) and all(isinstance(part, Tensor) for part in flat)
            return [part.to(torch.float64) for part in flat] if right else None
        parts = value if isinstance(value, (tuple, list)) else (value,)
        if len(parts) != len(outs):
            return None
        real = [p for p in parts if isinstance(p, (float, int)) or (isinstance(p, Tensor) and not p.is_complex())]
        made = [torch.as_tensor(part, dtype=torch.float64) for part in real]
        return made if [tuple(p.shape) for p in made] == [out.shape(self.sizes) for out in outs] else None

    def names(self, count: int) -> list[str]:
        """The parameters by name: `b`, or "b of layer 2"."""
        outs = self.signature.outs
        if outs[0].axes is not None:
            return [out.name for out in outs]
        return [f"{'wb'[k % 2]} of layer {k // 2 + 1}" for k in range(count)]


def _starts(task: _Training, candidate: Candidate, seed: int) -> Claim:
    """Without an epoch the parameters are where they are to start, in the form that was asked for."""
    point = task.usual(epochs=0, lr=0.1)
    data = task.drawn(point, seed)
    fit = task.fitted(candidate, data, point, seed, 0)
    if fit.raw is None:
        return Claim(f"{task.function} returned None for epochs=0: return after the loop, not inside it.", "returns_none")
    if fit.leaves is None or (task.history and not isinstance(fit.history, (list, tuple))):
        return Claim(f"{task.function} must return {task.named}.", "wrong_shape")
    if task.history and len(fit.history):
        text = f"No epochs, no losses: history must be empty for epochs=0, yours has {len(fit.history)}."
        return Claim(text, "wrong_shape")
    if isinstance(task.start, He):
        return _starts_at_he(task, task.start, fit, candidate, seed)
    if task.start == "zeros" and any(bool(leaf.any()) for leaf in fit.leaves):
        zeros = [torch.zeros_like(leaf) for leaf in fit.leaves]
        if _near(fit.leaves, zeros, task.descend(zeros, data, 0.1, 1)):
            text = f"{task.function} takes one step too many: with epochs=0 yours returns the parameters after a step."
            return Claim(text, "forward_wrong")
        return Claim(f"{task.function} must start from 0; with no epochs yours does not return zeros.", "forward_wrong")
    return Claim("starts where it is to start")


def _starts_at_he(task: _Training, he: He, fit: _Fit, candidate: Candidate, seed: int) -> Claim:
    wanted = _shapes(task.hyper[he.hyper])
    if [tuple(leaf.shape) for leaf in fit.leaves or []] != wanted:
        got = [tuple(leaf.shape) for leaf in fit.leaves or []]
        text = f"For {he.hyper} {task.hyper[he.hyper]} the parameters have the shapes {wanted}; yours have {got}."
        return Claim(text, "wrong_shape", evidence={"expected": str(wanted), "got": str(got)})
    point = task.usual(epochs=0, lr=0.1, sizes={"N": 3, "D": he.sizes[0]}, **{he.hyper: he.sizes})
    found = task.fitted(candidate, task.drawn(point, seed), point, seed, 0).leaves
    if found is None or [tuple(leaf.shape) for leaf in found] != _shapes(he.sizes):
        return Claim(f"For {he.hyper} {he.sizes} the parameters have other shapes than {_shapes(he.sizes)}.", "wrong_shape")
    weights, biases = found[::2], found[1::2]
    if largest := max(float(b.abs().max()) for b in biases):
        return Claim("Biases start at 0; yours do not.", "forward_wrong", evidence={"largest_bias": largest})
    if not any(bool(w.any()) for w in weights):
        return Claim("All weights are 0: then every unit of a layer stays equal to its neighbour.", "zero_gradient")
    for number, w in enumerate(weights):
        spread, asked = float(w.square().mean().sqrt()), math.sqrt(2 / w.shape[0])
        if abs(spread / asked - 1) > MANY / math.sqrt(2 * w.numel()):
            text = f"He's weights of layer {number + 1} have standard deviation {asked:.4g}; yours have {spread:.4g}."
            return Claim(text, "constant_factor", evidence={"layer": number, "expected": asked, "got": spread})
    return Claim("starts at He's weights and biases of 0")


def _shapes(dims: Sequence[int]) -> list[tuple[int, ...]]:
    return [shape for i, o in zip(dims[:-1], dims[1:], strict=True) for shape in ((i, o), (o,))]


def _follows(task: _Training, points: Sequence[_Point], candidate: Candidate, seed: int) -> Claim:
    """After any number of epochs the parameters are those of equal steps down torch's gradient."""
    for number, point in enumerate(points):
        data = task.drawn(point, seed + number)
        begin = _from(task, candidate, data, point, seed)
        fit = task.fitted(candidate, data, point, seed, point.epochs)
        if fit.leaves is None or len(fit.leaves) != len(begin):
            return Claim(f"{task.function} must return {task.named}.", "wrong_shape")
        if task.history and len(fit.history) != point.epochs:
            text = f"{point.epochs} epochs were asked for, and history has {len(fit.history)} losses."
            return Claim(text, "wrong_shape", evidence={"expected": point.epochs, "got": len(fit.history)})
        wanted = task.descend(begin, data, point.hyper["lr"], point.epochs)
        if not _near(fit.leaves, begin, wanted):
            return _why(task, candidate, data, point, seed, begin)
    return Claim("follows gradient descent, step by step")


def _from(task: _Training, candidate: Candidate, data: Sequence[Tensor], point: _Point, seed: int) -> list[Tensor]:
    """Where the parameters start: at 0, or wherever no epochs leave them."""
    if task.start == "zeros":
        return [torch.zeros(out.shape(point.sizes), dtype=torch.float64) for out in task.signature.outs]
    begin = task.fitted(candidate, data, point, seed, 0).leaves
    return begin or []


def _near(got: Sequence[Tensor], begin: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: float = NEAR) -> bool:
    """Whether the parameters have moved as they should have."""
    if len(got) != len(wanted) or any(g.shape != w.shape for g, w in zip(got, wanted, strict=True)):
        return False
    moved = max(float((w - b).abs().max()) for w, b in zip(wanted, begin, strict=True))
    size = max(float(w.abs().max()) for w in wanted)
    error = max(float((g - w).abs().max()) for g, w in zip(got, wanted, strict=True))
    return error <= tolerance * (moved or ROUND_OFF) + ROUND_OFF * size


def _why(
    task: _Training, candidate: Candidate, data: Sequence[Tensor], point: _Point, seed: int, begin: Sequence[Tensor]
) -> Claim:
    """Why the parameters are wrong: by the first step that is, as a multiple of the right one."""
    lr = point.hyper["lr"]
    where = f"with {label({**point.sizes, 'lr': lr})}"

    def after(epochs: int) -> list[Tensor]:
        return task.fitted(candidate, data, point, seed, epochs).leaves or []

    first, right = after(1), task.descend(begin, data, lr, 1)
    if not all(bool(torch.isfinite(leaf).all()) for leaf in first) or len(first) != len(right):
        return Claim(f"After one epoch {where} the parameters are not finite.", "not_finite")
    if _near(first, begin, right):
        return _later(task, after, data, point, begin, where)
    steps = [f - b for f, b in zip(first, begin, strict=True)]
    if not any(bool(step.any()) for step in steps) and _near(after(2), begin, right):
        return Claim(f"{task.function} takes one step too few: two epochs give what one should.", "forward_wrong")
    if _near(first, begin, _one_after_the_other(task, begin, data, lr)):
        last = task.names(len(begin))[-1]
        return Claim(
            f"{last} is stepped by a gradient at the new parameters: take all gradients first, then step.", "overwritten"
        )
    return _named(task, steps, [r - b for r, b in zip(right, begin, strict=True)], point, f"The first step {where}")


def _one_after_the_other(task: _Training, begin: Sequence[Tensor], data: Sequence[Tensor], lr: float) -> list[Tensor]:
    now = list(begin)
    for k in range(len(now)):
        now[k] = now[k] - lr * task.gradients(now, data)[k]
    return now


def _later(
    task: _Training,
    after: Callable[[int], list[Tensor]],
    data: Sequence[Tensor],
    point: _Point,
    begin: Sequence[Tensor],
    where: str,
) -> Claim:
    """Why a later step is wrong where the first is right: the first of the wrong ones, found by halving."""
    lr, low, high = point.hyper["lr"], 1, point.epochs
    while high - low > 1:
        middle = (low + high) // 2
        good = _near(after(middle), begin, task.descend(begin, data, lr, middle))
        low, high = (middle, high) if good else (low, middle)
    before, then = after(low), after(high)
    taken = [t - b for t, b in zip(then, before, strict=True)]
    right = [-lr * g for g in task.gradients(before, data)]
    first = [-lr * g for g in task.gradients(begin, data)]
    says = f"The first {low} steps {where} are right, and the next is not"
    if all(float((t - f).abs().max()) <= FACTOR * float(f.abs().max() or 1) for t, f in zip(taken, first, strict=True)):
        return Claim(f"{says}: its gradient is that of the first. Take it anew at the latest parameters.", "stale_state")
    factor = _factor(taken, right)
    if factor is not None:
        return Claim(
            f"{says}: it is {factor:.4g} times as long. Keep lr as it is given, to the end.",
            "wrong_operand",
            evidence={"factor": factor, "epoch": high},
        )
    return Claim(f"{says}: every epoch is one step with the gradient at the latest parameters.", "stale_state")


def _factor(taken: Sequence[Tensor], right: Sequence[Tensor]) -> float | None:
    """By what one step is a multiple of another; None where it is none."""
    t, r = (torch.cat([leaf.reshape(-1) for leaf in parts]) for parts in (taken, right))
    factor = float(t @ r / (r @ r).clamp(min=torch.finfo(r.dtype).tiny))
    return factor if float((t - factor * r).norm()) <= 1e2 * FACTOR * float(t.norm()) else None


def _named(task: _Training, steps: Sequence[Tensor], right: Sequence[Tensor], point: _Point, where: str) -> Claim:
    """The cause of a first step that is wrong, in the parameters where it is wrong."""
    rows = next(iter(point.sizes.values()))
    size = max(float(r.abs().max()) for r in right)
    wrong = [k for k, (s, r) in enumerate(zip(steps, right, strict=True)) if float((s - r).abs().max()) > NEAR * size]
    names = [task.names(len(steps))[k] for k in wrong]
    listed = " and ".join(names)
    if not any(bool(steps[k].any()) for k in wrong):
        return Claim(f"After an epoch {listed} did not move.", "zero_gradient", evidence={"parameters": names})
    factor = _factor([steps[k] for k in wrong], [right[k] for k in wrong])
    evidence = {"factor": factor, "parameters": names, "rows": rows}
    if factor is None:
        cause = "forward_wrong" if len(wrong) == len(steps) and task.start == "zeros" else "unknown"
        return Claim(f"{where} is not along the gradient, in {listed}.", cause, evidence=evidence)
    known: tuple[tuple[float, str, str], ...] = (
        (-1.0, "sign", "has the right length and goes uphill: subtract lr times the gradient"),
        (float(rows), "missing_batch_mean", f"is {rows} times too long, and there are {rows} rows: the loss is a mean"),
        (1 / rows, "extra_batch_mean", f"is 1/{rows} as long, and there are {rows} rows: the mean was taken twice"),
    )
    for value, cause, why in known:
        if abs(factor - value) < FACTOR * abs(value):
            return Claim(f"{where} {why} ({listed}).", cause, evidence=evidence)
    return Claim(f"{where} is {factor:.6g} times the right one, in {listed}.", "constant_factor", evidence=evidence)


def _tells(task: _Training, candidate: Candidate, seed: int) -> Claim:
    """One loss for each epoch, measured before its step."""
    point = task.usual(epochs=4, lr=0.1)
    data = task.drawn(point, seed)
    history = [float(loss) for loss in task.fitted(candidate, data, point, seed, point.epochs).history]
    if len(history) != point.epochs:
        text = f"history must have one loss for each of the {point.epochs} epochs; yours has {len(history)}."
        return Claim(text, "wrong_shape", evidence={"expected": point.epochs, "got": len(history)})
    begin = _from(task, candidate, data, point, seed)
    losses = [task.value(task.descend(begin, data, 0.1, steps), data) for steps in range(point.epochs + 1)]
    if _told(history, losses[:-1]):
        return Claim("records the loss before every step")
    evidence = {"expected": losses[:-1], "got": history}
    if _told(history, losses[1:]):
        text = f"history holds the loss after each step ({history[0]:.6g} first); measure it before the step ({losses[0]:.6g})."
        return Claim(text, "wrong_operand", evidence=evidence)
    text = f"The loss of epoch 0 is {losses[0]:.6g} before its step; your history says {history[0]:.6g}."
    return Claim(text, "forward_wrong", evidence=evidence)


def _told(history: Sequence[float], right: Sequence[float]) -> bool:
    return all(abs(got - wanted) <= NEAR * max(1.0, wanted) for got, wanted in zip(history, right, strict=True))


def _repeats(task: _Training, candidate: Candidate, seed: int) -> Claim:
    """The same generator seed gives the same parameters, and another one gives others."""
    point = task.usual(epochs=2, lr=0.1)
    data = task.drawn(point, seed)
    first, second, other = (task.fitted(candidate, data, point, s, 2).leaves or [] for s in (seed, seed, seed + 1))
    if not all(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
        return Claim("Two runs from the same seed differ: take all randomness from the generator.", "nondeterministic")
    if all(torch.equal(a, b) for a, b in zip(first, other, strict=True)):
        return Claim("Another seed gives the same run: the weights must come from the generator.", "nondeterministic")
    return Claim("the same seed gives the same run")


def _learns(task: _Training, wanted: Reaches, candidate: Candidate, seed: int) -> Claim:
    """After enough epochs the loss is small, for the better of two seeds."""
    point = task.point(At("learns", wanted.given))
    data = task.drawn(point, seed)
    found = [task.fitted(candidate, data, point, s, point.epochs).leaves or [] for s in (seed, seed + 1)]
    loss = min(task.value(leaves_, data) for leaves_ in found)
    if not loss <= wanted.loss:
        text = f"{point.epochs} epochs on an easy problem should reach a loss of {wanted.loss:.3g}; yours is {loss:.3g}."
        return Claim(text, "unknown", evidence={"loss": loss})
    return Claim("learns an easy problem")


def _keeps_dtype(task: _Training, candidate: Candidate, seed: int) -> Claim:
    """The parameters are tensors with the dtype of the data, and exact to round-off in it."""
    point = task.usual(epochs=2, lr=0.1)
    data = task.drawn(point, seed)
    for dtype in (torch.float64, torch.float32):
        narrow = [each.to(dtype) for each in data]
        try:
            raw = task.fitted(candidate, narrow, point, seed, point.epochs).raw
        except Unanswered as unanswered:
            if dtype is torch.float64 or not unanswered.args or unanswered.args[0] is None:
                raise
            failure = unanswered.args[0]
            text = f"On float32 data it raises {failure.exception}; make new tensors with the dtype of the data. ({failure.says})"
            return Claim(text, "wrong_dtype")
        for leaf in leaves(raw[0] if task.history else raw):
            if not isinstance(leaf, Tensor):
                return Claim(f"{task.function} returns no tensors; return tensors, which keep their dtype.", "wrong_type")
            if leaf.dtype is not dtype:
                text = f"For {dtype} {task.function} returns {leaf.dtype}; make new tensors with the dtype of the data."
                return Claim(text, "wrong_dtype")
    begin = _from(task, candidate, data, point, seed)
    got = task.fitted(candidate, data, point, seed, point.epochs).leaves or []
    if not _near(got, begin, task.descend(begin, data, 0.1, point.epochs), EXACT):
        return Claim("The parameters are right to float32 only: look for torch.tensor(…) without a dtype.", "wrong_dtype")
    return Claim("the parameters have the dtype of the data")


def _leaves_data(task: _Training, candidate: Candidate, seed: int) -> Claim:
    """The data is as it was."""
    point = task.usual(epochs=3, lr=0.1)
    changed = task.fitted(candidate, task.drawn(point, seed), point, seed, point.epochs).changed
    if changed:
        text = f"{task.function} changed {' and '.join(changed)} in place; make new tensors instead."
        return Claim(text, "mutates_input", evidence={"changed": list(changed)})
    return Claim("leaves its data as it was")
