"""Naming a constant factor: -1, a count of rows or entries, a hyperparameter, or just a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.tensors import is_tensor, leaves
from autograd_check.verify.values import Evidence


def batch_size(piece: Evidence) -> int:
    """The number of rows: first axis of dout, or of the first primal where dout is 0-d (a loss)."""
    if isinstance(piece.dout, Tensor) and piece.dout.dim():
        return piece.dout.shape[0]
    first = next((leaf for leaf in leaves(dict(piece.primals)) if is_tensor(leaf) and leaf.dim()), None)
    return first.shape[0] if first is not None else 1


def _counts(piece: Evidence) -> Iterator[tuple[str, float]]:
    """Named numbers of a call, the likelier reason first."""
    yield "the number of rows", batch_size(piece)
    yield "the number of entries", piece.got.numel()
    first = next((leaf for leaf in leaves(dict(piece.primals)) if is_tensor(leaf)), None)
    if first is not None:
        yield "the number of input entries", first.numel()
        for axis, size in enumerate(first.shape):
            yield f"the size of axis {axis}", size
    if is_tensor(piece.out):
        yield "the number of output entries", piece.out.numel()
    yield "2", 2.0
    for name, value in piece.hyper.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
            yield name, float(value)
            if value != 1:
                yield f"1 - {name}", 1.0 - value


MOST_LISTED = 4


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-7 * abs(other)


def name_factor(evidence: Sequence[Evidence], factors: Sequence[float]) -> Diagnosis | None:
    """The diagnosis for got = c·expected with the given c on each probe."""
    piece, c, subject = evidence[0], factors[0], evidence[0].subject
    if all(_near(value, -1.0) for value in factors):
        return Diagnosis(Cause.SIGN, f"Every entry of {subject} has the opposite sign of the right value.", {"factor": -1})
    tables = [dict(_counts(one)) for one in evidence]
    for name in tables[0]:
        for inverse in (False, True):
            sizes = [table.get(name, 0.0) for table in tables]
            if any(size in (0.0, 1.0) for size in sizes):
                continue
            if all(_near(abs(v), 1 / s if inverse else s) for v, s in zip(factors, sizes, strict=True)):
                return _named(subject, name, sizes[0], inverse, c, piece)
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
    return Diagnosis(Cause.CONSTANT_FACTOR, f"Every entry of {subject} is exactly {c:.10g} times the right value.", {"factor": c})


def _named(subject: str, name: str, size: float, inverse: bool, c: float, piece: Evidence) -> Diagnosis:
    evidence = {"factor": c, "count": name, "size": size}
    share = f"1/{size:g}" if inverse else f"{size:g} times"
    says = f"Every entry of {subject} is exactly {'-' if c < 0 else ''}{share}{' of' if inverse else ''} the right value"
    loss = not (isinstance(piece.dout, Tensor) and piece.dout.dim())
    if name == "the number of rows":
        if inverse and loss:
            return Diagnosis(
                Cause.EXTRA_BATCH_MEAN, f"{says}, and this batch has {size:g} rows: the mean was taken twice.", evidence
            )
        if inverse and subject == "out":
            return Diagnosis(
                Cause.EXTRA_BATCH_MEAN, f"{says}, and this batch has {size:g} rows: a mean over them too many.", evidence
            )
        if inverse:
            reason = (
                f"{says}, and this batch has {size:g} rows: you took a mean over the batch where the chain rule sums. The loss "
                "already divides by N."
            )
            return Diagnosis(Cause.EXTRA_BATCH_MEAN, reason, evidence)
        reason = f"{says}, and this batch has {size:g} rows: the division by N of the mean is missing."
        return Diagnosis(Cause.MISSING_BATCH_MEAN, reason, evidence)
    if name in ("the number of entries", "the number of input entries") and not inverse and loss:
        reason = f"{says}, and there are {size:g} entries: the division of the mean by their number is missing."
        return Diagnosis(Cause.MISSING_BATCH_MEAN, reason, evidence)
    if name == "2":
        return Diagnosis(Cause.CONSTANT_FACTOR, f"{says}: a factor 2 too {'few' if inverse else 'many'}.", evidence)
    return Diagnosis(Cause.CONSTANT_FACTOR, f"{says}, and {size:g} is {name}.", evidence)
