"""Naming a constant factor: -1, a count of rows or entries, a hyperparameter, or just a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Evidence
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.tensors import is_tensor, leaves

MOST_LISTED = 4


class Of(Enum):
    """What a count counts."""

    ROWS = auto()
    USES = auto()
    ENTRIES = auto()
    INPUT_ENTRIES = auto()
    AXIS = auto()
    OUTPUT_ENTRIES = auto()
    TWO = auto()
    SETTING = auto()


@dataclass(frozen=True)
class Count:
    """A number of a call that a factor may be: what it counts, which of them, and how many there are.

    Two counts are the same (on calls of other sizes) if they count the same; `size` is left out of that.
    """

    of: Of
    which: str = ""
    size: float = field(default=0.0, compare=False)

    @property
    def text(self) -> str:
        """What it is, as it is shown."""
        if self.of is Of.SETTING:
            return self.which
        return {
            Of.ROWS: "the number of rows",
            Of.USES: "how often each entry is used",
            Of.ENTRIES: "the number of entries",
            Of.INPUT_ENTRIES: "the number of input entries",
            Of.AXIS: f"the size of axis {self.which}",
            Of.OUTPUT_ENTRIES: "the number of output entries",
            Of.TWO: "2",
        }[self.of]


def batch_size(piece: Evidence) -> int:
    """The number of rows: first axis of dout, or of the first primal where dout is 0-d (a loss)."""
    if isinstance(piece.dout, Tensor) and piece.dout.dim():
        return piece.dout.shape[0]
    first = next((leaf for leaf in leaves(dict(piece.primals)) if is_tensor(leaf) and leaf.dim()), None)
    return first.shape[0] if first is not None else 1


def counts(piece: Evidence) -> Iterator[Count]:
    """The numbers of a call that have a name, the likelier reason first."""
    yield Count(Of.ROWS, size=batch_size(piece))
    if isinstance(piece.dout, Tensor) and piece.dout.numel() > piece.got.numel() and not piece.dout.numel() % piece.got.numel():
        yield Count(Of.USES, size=piece.dout.numel() // piece.got.numel())
    yield Count(Of.ENTRIES, size=piece.got.numel())
    first = next((leaf for leaf in leaves(dict(piece.primals)) if is_tensor(leaf)), None)
    if first is not None:
        yield Count(Of.INPUT_ENTRIES, size=first.numel())
        yield from (Count(Of.AXIS, str(axis), size) for axis, size in enumerate(first.shape))
    if is_tensor(piece.out):
        yield Count(Of.OUTPUT_ENTRIES, size=piece.out.numel())
    yield Count(Of.TWO, size=2.0)
    for name, value in piece.hyper.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
            yield Count(Of.SETTING, name, float(value))
            yield Count(Of.SETTING, f"{name}²", float(value) ** 2)
            if value != 1:
                yield Count(Of.SETTING, f"1 - {name}", 1.0 - value)
        if isinstance(value, (tuple, list)) and len(value) == 2 and all(type(size) is int for size in value):
            yield Count(Of.SETTING, f"{name}²", float(value[0] * value[1]))


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-7 * abs(other)


def name_factor(evidence: Sequence[Evidence], factors: Sequence[float]) -> Diagnosis | None:
    """The diagnosis for got = c·expected with the given c on each probe."""
    piece, c, subject = evidence[0], factors[0], evidence[0].name
    if all(_near(value, -1.0) for value in factors):
        return Diagnosis(Cause.SIGN, f"Every entry of {subject} has the opposite sign of {piece.right}.", {"factor": -1})
    tables = [{count: count.size for count in counts(one)} for one in evidence]
    for count in counts(piece):
        sizes = [table.get(count, 0.0) for table in tables]
        if any(size in (0.0, 1.0) for size in sizes):
            continue
        for inverse in (False, True):
            if all(_near(abs(v), 1 / s if inverse else s) for v, s in zip(factors, sizes, strict=True)):
                return _named(count, inverse, c, piece)
    rows = [batch_size(one) for one in evidence]
    if all(n > 1 and _near(v, n / (n - 1)) for v, n in zip(factors, rows, strict=True)) and len(set(rows)) > 1:
        says = f"{subject} is divided by N - 1, where N is the number of rows; the mean divides by N."
        return Diagnosis(Cause.CONSTANT_FACTOR, says, {"factors": list(factors), "rows": rows})
    varies = any(not _near(value, c) for value in factors)
    if all(one.expected.numel() == 1 for one in evidence) and (varies or len(evidence) == 1):
        return None  # any number is a multiple of any other
    if varies:
        digits = next((d for d in (6, 9, 12) if any(f"{value:.{d}g}" != "1" for value in factors)), 15)
        different = list(dict.fromkeys(f"{value:.{digits}g}" for value in factors))
        listed = ", ".join(different[:MOST_LISTED]) + (", ..." if len(different) > MOST_LISTED else "")
        what = "the data, their sizes or a hyperparameter" if any(one.hyper for one in evidence) else "the data or their sizes"
        says = f"Every entry of {subject} is off by one factor on each probe ({listed}): a number that depends on {what}."
        return Diagnosis(Cause.CONSTANT_FACTOR, says, {"factors": list(factors)})
    return Diagnosis(Cause.CONSTANT_FACTOR, f"Every entry of {subject} is exactly {c:.10g} times {piece.right}.", {"factor": c})


def _named(count: Count, inverse: bool, c: float, piece: Evidence) -> Diagnosis:
    size = count.size
    evidence = {"factor": c, "count": count.text, "size": size}
    share = f"1/{size:g}" if inverse else f"{size:g} times"
    says = f"Every entry of {piece.name} is exactly {'-' if c < 0 else ''}{share}{' of' if inverse else ''} {piece.right}"
    loss = not (isinstance(piece.dout, Tensor) and piece.dout.dim())
    if count.of is Of.ROWS:
        rows = f"{says}, and this batch has {size:g} rows"
        if not inverse:
            return Diagnosis(Cause.MISSING_BATCH_MEAN, f"{rows}: the division by N of the mean is missing.", evidence)
        why = "you took a mean over the batch where the chain rule sums. The loss already divides by N."
        if loss:
            why = "the mean was taken twice."
        elif piece.subject == "out":
            why = "a mean over them too many."
        return Diagnosis(Cause.EXTRA_BATCH_MEAN, f"{rows}: {why}", evidence)
    if count.of is Of.USES and inverse:
        reason = f"{says}, and each entry is used {size:g} times: you took a mean over its uses where the chain rule sums."
        return Diagnosis(Cause.MEAN_FOR_SUM, reason, evidence)
    if count.of in (Of.ENTRIES, Of.INPUT_ENTRIES) and not inverse and loss:
        reason = f"{says}, and there are {size:g} entries: the division of the mean by their number is missing."
        return Diagnosis(Cause.MISSING_BATCH_MEAN, reason, evidence)
    if count.of is Of.TWO:
        return Diagnosis(Cause.CONSTANT_FACTOR, f"{says}: a factor 2 too {'few' if inverse else 'many'}.", evidence)
    return Diagnosis(Cause.CONSTANT_FACTOR, f"{says}, and {size:g} is {count.text}.", evidence)
