"""Relations with the right answer to another question: other inputs, other hyperparameters, other parts of the cotangent.

"dx is what it would be if ..." A call is asked again with one thing changed; where the wrong array is the right answer to that
call, what was changed is the mistake. Questions to which the right array is an answer as well say nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE, close
from autograd_check.diagnose.evidence import Around, Evidence
from autograd_check.verify.finding import Diagnosis
from autograd_check.verify.tensors import is_differentiable, map_tensors

MOST_PARTS = 300
"""The cotangent is taken apart into at most so many parts: each costs one backward pass of the definition."""

NOTHING = -3
"""What an entry was overwritten with by a part that contributes nothing to it."""

Question = tuple[Mapping[str, Any], Mapping[str, Any], Any]


def same_numbers(evidence: Sequence[Evidence], answer: Callable[[Evidence], Tensor | None]) -> bool:
    """Whether the wrong array is the answer on every probe, while the right array is not on at least one."""
    told = False
    for piece in evidence:
        other = answer(piece)
        if not isinstance(other, Tensor) or not close(piece.got, other):
            return False
        told = told or not close(other, piece.expected)
    return told


def ask(piece: Evidence, question: Question | None, subject: str | None = None, around: Around = nullcontext) -> Tensor | None:
    """The right array for another call, or None where the definition cannot be asked that."""
    if piece.at is None or question is None:
        return None
    try:
        answer = piece.at(*question, around=around).get(subject or piece.subject)
    except Exception:  # any oracle may refuse any shape or value: then this is not the mistake
        return None
    return answer if isinstance(answer, Tensor) else None


def tensors(piece: Evidence) -> dict[str, Tensor]:
    """The primals that are tensors of real numbers, by name."""
    return {name: x for name, x in piece.primals.items() if is_differentiable(x) and not x.is_complex()}


def with_all(piece: Evidence, name: str, value: float) -> Question | None:
    """The same call with one primal of equal entries."""
    if name not in piece.primals:
        return None
    return {**piece.primals, name: torch.full_like(piece.primals[name], value)}, piece.hyper, piece.dout


def another_operand(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The gradient at another input: out for a primal, or two primals exchanged."""
    piece = evidence[0]
    named = piece.name
    for name in tensors(piece):

        def with_out(one: Evidence, name: str = name) -> Tensor | None:
            fits = isinstance(one.out, Tensor) and name in one.primals and one.out.shape == one.primals[name].shape
            return ask(one, ({**one.primals, name: one.out}, one.hyper, one.dout)) if fits else None

        if piece.subject != "out" and same_numbers(evidence, with_out):
            says = f"{named} is what it would be at out instead of {name}: the output stands where the input belongs."
            return Diagnosis(Cause.WRONG_OPERAND, says, {"used": "out", "belongs": name})
    for one_name, other_name in combinations(piece.primals, 2):

        def exchanged(one: Evidence, a: str = one_name, b: str = other_name) -> Tensor | None:
            if a not in one.primals or b not in one.primals:
                return None
            swapped = {**one.primals, a: one.primals[b], b: one.primals[a]}
            subject = {f"d{a}": f"d{b}", f"d{b}": f"d{a}"}.get(one.subject, one.subject)
            found = ask(one, (swapped, one.hyper, one.dout), subject)
            return found if found is not None else ask(one, (swapped, one.hyper, one.dout))

        if same_numbers(evidence, exchanged):
            says = f"{named} is what it would be with {one_name} and {other_name} exchanged: each stands where the other belongs."
            return Diagnosis(Cause.WRONG_OPERAND, says, {"exchanged": [one_name, other_name]})
    return None


def ignored_primal(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The answer with a primal of ones or zeros: it is left out of the product or of the sum; with class 0 for all classes."""
    piece = evidence[0]
    for name, x in piece.primals.items():
        if not isinstance(x, Tensor) or x.dtype is not torch.int64:
            continue

        def class_0(one: Evidence, name: str = name) -> Tensor | None:
            if name not in one.primals:
                return None
            return ask(one, ({**one.primals, name: torch.zeros_like(one.primals[name])}, one.hyper, one.dout))

        if same_numbers(evidence, class_0):
            says = f"{piece.name} is what it would be if {name} were all 0: {name} is not used."
            return Diagnosis(Cause.WRONG_OPERAND, says, {"primal": name, "as if": 0})
    for name in tensors(piece):
        if f"d{name}" == piece.subject:
            continue
        for value, what in ((1.0, "product"), (0.0, "sum")):

            def without(one: Evidence, name: str = name, value: float = value) -> Tensor | None:
                return ask(one, with_all(one, name, value))

            if same_numbers(evidence, without):
                says = f"{piece.name} is what it would be if {name} were all {value:g}: {name} is missing from the {what}."
                return Diagnosis(Cause.MISSING_TERM, says, {"primal": name, "as if": value})
    return None


def another_setting(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The answer for other hyperparameters: the default, a usual constant, or two exchanged."""
    piece = evidence[0]
    names = dict.fromkeys(name for one in evidence for name in one.hyper)
    for name in names:

        def default(one: Evidence, name: str = name) -> Tensor | None:
            rest = {key: value for key, value in one.hyper.items() if key != name}
            return ask(one, (one.primals, rest, partial(_cut_to, one.dout))) if name in one.hyper else one.expected

        for value in (1, 0):

            def fixed(one: Evidence, name: str = name, value: int = value) -> Tensor | None:
                given = one.hyper.get(name, value)
                if isinstance(given, bool) or not isinstance(given, (int, float, tuple)):
                    return None
                kind = float(value) if isinstance(given, float) else value
                return ask(one, (one.primals, {**one.hyper, name: kind}, partial(_cut_to, one.dout)))

            if same_numbers(evidence, fixed):
                says = f"{piece.name} is what it would be for {name}={value}, whatever {name} is: {name} is not used."
                return Diagnosis(Cause.MISSING_TERM, says, {"hyper": name, "as if": value})
        if same_numbers(evidence, default):
            says = f"{piece.name} is what it would be for the default of {name}, whatever {name} is: {name} is not used."
            return Diagnosis(Cause.WRONG_OPERAND, says, {"hyper": name})
        for other in names:

            def exchanged(one: Evidence, name: str = name, other: str = other) -> Tensor | None:
                if name not in one.hyper or other not in one.hyper:
                    return None
                swapped = {**one.hyper, name: one.hyper[other], other: one.hyper[name]}
                return ask(one, (one.primals, swapped, partial(_cut_to, one.dout)))

            if name < other and same_numbers(evidence, exchanged):
                says = f"{piece.name} is what it would be with {name} and {other} exchanged."
                return Diagnosis(Cause.WRONG_OPERAND, says, {"exchanged": [name, other]})

        def reversed_pair(one: Evidence, name: str = name) -> Tensor | None:
            pair = one.hyper.get(name)
            if not isinstance(pair, (tuple, list)):
                return one.expected
            return ask(one, (one.primals, {**one.hyper, name: tuple(reversed(pair))}, partial(_cut_to, one.dout)))

        if same_numbers(evidence, reversed_pair):
            says = f"{piece.name} is what it would be with the numbers of {name} the other way round: rows for columns."
            return Diagnosis(Cause.WRONG_OPERAND, says, {"reversed": name})
    return None


def _cut_to(dout: Any, out: Any) -> Any:
    """dout for an output of another size, as loops that run over dout would read it: zeros after its end, what is beyond left out."""
    if not isinstance(dout, Tensor) or not isinstance(out, Tensor) or dout.dim() != out.dim() or dout.shape == out.shape:
        return dout
    common = tuple(slice(min(mine, theirs)) for mine, theirs in zip(dout.shape, out.shape, strict=True))
    fitted = out.new_zeros(out.shape)
    fitted[common] = dout[common]
    return fitted


def another_axis(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """What is right for transposed arrays, transposed back: it runs along another axis than it should."""
    piece = evidence[0]
    for one_axis, other_axis in combinations(range(piece.expected.dim()), 2):

        def turned(one: Evidence, a: int = one_axis, b: int = other_axis) -> Tensor | None:
            rank = one.expected.dim()
            if rank <= b:
                return None

            def turn(value: Tensor) -> Tensor:
                return value.transpose(a, b) if value.dim() == rank else value

            primals = {name: map_tensors(turn, value) for name, value in one.primals.items()}
            found = ask(one, (primals, one.hyper, map_tensors(turn, one.dout)))
            return found.transpose(a, b) if found is not None and found.dim() == rank else None

        if same_numbers(evidence, turned):
            says = (
                f"{piece.name} is right along the wrong axis: it is what it would be for transposed arrays, "
                f"with axis {one_axis} in the place of axis {other_axis}."
            )
            return Diagnosis(Cause.WRONG_AXIS, says, {"axes": [one_axis, other_axis]})
    return None


def flipped_operand(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The answer with another primal reversed along some of its axes (a filter turned around)."""
    piece = evidence[0]
    for name, x in tensors(piece).items():
        if f"d{name}" == piece.subject:
            continue
        for size in range(1, x.dim() + 1):
            for axes in combinations(range(-1, -x.dim() - 1, -1), size):

                def turned(one: Evidence, name: str = name, axes: tuple[int, ...] = axes) -> Tensor | None:
                    value = one.primals.get(name)
                    if not isinstance(value, Tensor) or value.dim() < -min(axes):
                        return None
                    return ask(one, ({**one.primals, name: value.flip(axes)}, one.hyper, one.dout))

                if same_numbers(evidence, turned):
                    named = " and ".join(str(x.dim() + axis) for axis in sorted(axes))
                    says = (
                        f"{piece.name} is what it would be if {name} ran backwards along axis {named}: {name} is turned around where "
                        "it should not be, or is not where it should be."
                    )
                    return Diagnosis(Cause.FLIPPED, says, {"primal": name, "axes": sorted(x.dim() + axis for axis in axes)})
    return None


def stuck_operand(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The answer with the first (or last) slice of another primal in the place of all of them: an index that does not run."""
    piece = evidence[0]
    for name, x in tensors(piece).items():
        for axis in range(-x.dim(), 0) if f"d{name}" != piece.subject else ():
            for index, words in ((0, "first"), (-1, "last")):

                def stuck(one: Evidence, name: str = name, axis: int = axis, index: int = index) -> Tensor | None:
                    value = one.primals.get(name)
                    if not isinstance(value, Tensor) or value.dim() < -axis or not value.numel():
                        return None
                    slices = value.select(axis, index).unsqueeze(axis).expand(value.shape).contiguous()
                    return ask(one, ({**one.primals, name: slices}, one.hyper, one.dout))

                if same_numbers(evidence, stuck):
                    named = x.dim() + axis
                    says = (
                        f"{piece.name} is what it would be if {name} had its {words} index along axis {named} everywhere: that index "
                        "stays where it should run."
                    )
                    return Diagnosis(Cause.WRONG_OPERAND, says, {"primal": name, "axis": named, "index": words})
    return None


def another_cotangent(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The gradient for another cotangent: only where dout is positive, transposed, reversed, or averaged."""
    piece = evidence[0]
    if piece.subject == "out" or not all(isinstance(one.dout, Tensor) and one.dout.dim() for one in evidence):
        return None

    def positive(one: Evidence) -> Tensor | None:
        return _vjp(one, one.dout * (one.dout > 0))

    if same_numbers(evidence, positive):
        says = f"{piece.name} passes on only where dout is positive: the mask belongs to the input, not to dout."
        return Diagnosis(Cause.WRONG_OPERAND, says, {"mask": "dout"})

    def masked_by_dout(one: Evidence) -> Tensor | None:
        return one.dout * (one.dout > 0) if one.dout.shape == one.expected.shape else None

    if same_numbers(evidence, masked_by_dout):
        says = f"{piece.name} is dout where dout is positive and 0 elsewhere: the mask belongs to the input, not to dout."
        return Diagnosis(Cause.WRONG_OPERAND, says, {"mask": "dout"})
    for axis in range(-min(one.dout.dim() for one in evidence), 0):

        def reversed_dout(one: Evidence, axis: int = axis) -> Tensor | None:
            return _vjp(one, one.dout.flip(axis))

        if same_numbers(evidence, reversed_dout):
            says = f"{piece.name} is what it would be if dout ran backwards along axis {piece.dout.dim() + axis}."
            return Diagnosis(Cause.FLIPPED, says, {"axis": piece.dout.dim() + axis})
    return None


def left_out(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Right but for the contribution of the first or of the last index of dout along an axis (or two): a loop leaves it out."""
    if not _divisible(evidence):
        return None
    piece = evidence[0]
    ranks = min(one.dout.dim() for one in evidence)
    for axis in range(-ranks, 0):
        for index, words in ((-1, "last"), (0, "first")):

            def without(one: Evidence, axis: int = axis, index: int = index) -> Tensor | None:
                dout = one.dout.clone()
                dout.select(axis, index).zero_()
                return _vjp(one, dout)

            if same_numbers(evidence, without):
                named = piece.dout.dim() + axis
                says = (
                    f"{piece.name} lacks what the {words} index of dout along axis {named} contributes: does a loop leave it out?"
                )
                return Diagnosis(Cause.ROWS_MISSING, says, {"axis": named, "index": words})

            def stuck(one: Evidence, axis: int = axis, index: int = index) -> Tensor | None:
                kept = one.dout.select(axis, index).unsqueeze(axis)
                return _vjp(one, kept.expand(one.dout.shape).contiguous())

            if same_numbers(evidence, stuck):
                named = piece.dout.dim() + axis
                says = (
                    f"{piece.name} takes the {words} index of dout along axis {named} for all of them: an index stays where it "
                    "should run."
                )
                return Diagnosis(Cause.WRONG_OPERAND, says, {"axis": named, "index": words})
    for words, index in (("last", -1), ("first", 0)) if ranks > 2 else ():

        def without_any(one: Evidence, index: int = index) -> Tensor | None:
            """Of images one loop or both may leave something out: which of them shows depends on the sizes."""
            for axes in ((-2,), (-1,), (-2, -1)):
                dout = one.dout.clone()
                for axis in axes:
                    dout.select(axis, index).zero_()
                found = _vjp(one, dout)
                if found is not None and close(found, one.got):
                    return found
            return None

        if same_numbers(evidence, without_any):
            both = [piece.dout.dim() - 2, piece.dout.dim() - 1]
            says = (
                f"{piece.name} lacks what the {words} index of dout along axis {both[0]}, along axis {both[1]}, or along both "
                "contributes: do the loops leave it out?"
            )
            return Diagnosis(Cause.ROWS_MISSING, says, {"axes": both, "index": words})
    return None


def own_entry_only(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Only the diagonal of the Jacobian: every entry gets dout of its own output, and that of no other."""
    for one in evidence:
        if one.subject == "out" or not isinstance(one.dout, Tensor) or one.dout.shape != one.expected.shape or not one.dout.dim():
            return None
    if not same_numbers(evidence, _diagonal):
        return None
    piece = evidence[0]
    says = (
        f"Every entry of {piece.name} counts the output at its own place only (the diagonal of the Jacobian); the others "
        "depend on it too."
    )
    return Diagnosis(Cause.MISSING_TERM, says, {})


def _diagonal(piece: Evidence) -> Tensor | None:
    axes, sizes = tuple(range(piece.dout.dim())), list(piece.dout.shape)
    if piece.dout.numel() > MOST_PARTS:
        return None
    found = torch.zeros_like(piece.expected)
    for part in _parts(piece.dout, axes, sizes):
        share = _vjp(piece, part)
        if share is None:
            return None
        found += torch.where(part != 0, share, 0.0)
    return found


def _vjp(piece: Evidence, dout: Any) -> Tensor | None:
    found = piece.vjp(dout).get(piece.subject)
    return found if isinstance(found, Tensor) else None


def overwritten(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Every entry is one contribution of those that should add up: dout is taken apart, and each part's gradient looked up."""
    if not _divisible(evidence):
        return None
    piece = evidence[0]
    for axes_of in _choices([one.dout.dim() for one in evidence]):
        taken: list[list[int]] = []
        for one in evidence:
            parts = _taken(one, axes_of(one.dout.dim()))
            if parts is None:
                break
            taken.append(parts)
        found = [[part for part in parts if part != NOTHING] for parts in taken]
        found = [parts for parts in found if parts]
        if len(taken) == len(evidence) and found:
            return _overwritten(piece, axes_of(piece.dout.dim()), found)
    return None


def _choices(ranks: Sequence[int]) -> list[Callable[[int], tuple[int, ...]]]:
    """Choices of axes along which dout may be taken apart, for arrays of these ranks."""
    if len({*ranks}) > 1:
        return [lambda rank: (0,), lambda rank: tuple(range(rank - 1)), lambda rank: (rank - 1,), lambda rank: tuple(range(rank))]
    rank = ranks[0]
    return [partial(_fixed, axes) for size in range(1, min(rank, 4) + 1) for axes in combinations(range(rank), size)]


def _fixed(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return axes


def _divisible(evidence: Sequence[Evidence]) -> bool:
    return evidence[0].subject != "out" and all(
        isinstance(one.dout, Tensor) and one.dout.dim() > 0 and one.got.shape == one.expected.shape for one in evidence
    )


def _overwritten(piece: Evidence, axes: tuple[int, ...], found: Sequence[Sequence[int]]) -> Diagnosis:
    named = ", ".join(map(str, axes))
    counts = [len({*parts}) for parts in found]
    evidence = {"axes": list(axes)}
    if max(counts) > 1:
        says = (
            f"Every entry of {piece.name} is one of its contributions, where several should add up (one for each index of "
            f"dout along axis {named}): they overwrite one another, or only one of them is taken. All of them add up."
        )
        return Diagnosis(Cause.OVERWRITTEN, says, evidence)
    if all(parts[0] == -1 for parts in found):
        says = (
            f"{piece.name} holds the contribution of the last index of dout along axis {named} only: each overwrites the one "
            "before, or only the last is taken. All of them add up."
        )
        return Diagnosis(Cause.OVERWRITTEN, says, evidence)
    says = (
        f"{piece.name} holds the contribution of one index of dout along axis {named} only: does a loop end too early, or is "
        "one index taken where all of them belong?"
    )
    return Diagnosis(Cause.ROWS_MISSING, says, evidence)


def _taken(piece: Evidence, axes: tuple[int, ...]) -> list[int] | None:
    """Which part of dout each wrong entry was taken from (-1 for the last); None where an entry is no single contribution.

    A part is dout at one index of `axes` and 0 elsewhere; an entry may be one of several that are not 0.
    """
    sizes = [piece.dout.shape[axis] for axis in axes]
    count = int(torch.tensor(sizes).prod())
    if count > MOST_PARTS:
        return None
    if count == 1:
        return []
    scale = LOOSE * max(float(piece.expected.abs().max()), float(piece.got.abs().max()))
    wrong = ~((piece.got - piece.expected).abs() <= scale)
    source = torch.full(piece.got.shape, -2)
    if not bool(piece.got.any()):  # it may well be that the last part contributes nothing; nothing is learnt here
        last = _vjp(piece, list(_parts(piece.dout, axes, sizes))[-1])
        return [] if last is not None and not bool(last.any()) else None

    def of_parts() -> list[Mapping[str, Any]]:
        return [piece.vjp(part) for part in _parts(piece.dout, axes, sizes)]

    for number, shares in enumerate(piece.memo.once(("parts", axes), [piece.primals, piece.dout], of_parts)):
        share = shares.get(piece.subject)
        if not isinstance(share, Tensor) or share.shape != piece.got.shape:
            return None
        if close(share, piece.got):
            return [-1 if number == count - 1 else number]
        same = ((share - piece.got).abs() <= scale) & (share.abs() > scale)
        source[same] = -1 if number == count - 1 else number
    source[(piece.got == 0) & (source == -2)] = NOTHING
    if not bool(wrong.any()) or bool((wrong & (source == -2)).any()):
        return None
    return [int(number) for number in source[wrong]]


def _parts(dout: Tensor, axes: tuple[int, ...], sizes: Sequence[int]) -> Iterator[Tensor]:
    for number in range(int(torch.tensor(sizes).prod())):
        index: list[Any] = [slice(None)] * dout.dim()
        rest = number
        for axis, size in zip(reversed(axes), reversed(sizes), strict=True):
            index[axis] = rest % size
            rest //= size
        part = torch.zeros_like(dout)
        part[tuple(index)] = dout[tuple(index)]
        yield part
