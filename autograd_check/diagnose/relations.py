"""Relations between a wrong gradient and the right one that hold for any layer, from the simplest.

Each is a function of all the evidence about one subject and answers only if it holds on every probe.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.diagnose.closeness import LOOSE, close, factor
from autograd_check.diagnose.counterfactuals import (
    another_axis,
    another_cotangent,
    another_operand,
    another_setting,
    ask,
    flipped_operand,
    ignored_primal,
    left_out,
    overwritten,
    own_entry_only,
    stuck_operand,
    tensors,
    with_all,
)
from autograd_check.diagnose.counts import name_factor
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.factors import edited_factor
from autograd_check.diagnose.gaps import entries_missing, rows_missing
from autograd_check.diagnose.misplaced import read_in_another_order, row_length
from autograd_check.diagnose.one_step import one_step
from autograd_check.diagnose.shares import added_again, cut_at_zero
from autograd_check.diagnose.terms import edited_reduction, edited_term
from autograd_check.diagnose.where import wrong_entries
from autograd_check.verify.finding import Diagnosis, Source
from autograd_check.verify.tensors import is_differentiable, leaves, map_tensors

Relation = Callable[[Sequence[Evidence]], Diagnosis | None]

MOST_AXES = 8
FEW_ENTRIES = 5
"""So many entries must say the same: fewer are a coincidence."""


def _same_shape(evidence: Sequence[Evidence]) -> bool:
    return all(piece.got.shape == piece.expected.shape for piece in evidence)


def relate(relation: Relation, evidence: Sequence[Evidence]) -> Diagnosis | None:
    """What a relation says of some evidence; nothing where an array is empty, since every relation holds among no entries."""
    found = None if any(piece.is_empty for piece in evidence) else relation(evidence)
    return None if found is None else replace(found, source=Source.RELATION)


def not_finite(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """NaN or infinity where the right gradient is finite."""
    piece = evidence[0]
    if bool(torch.isfinite(piece.got).all()):
        return None
    bad = int((~torch.isfinite(piece.got)).sum())
    says = (
        f"{bad} of {piece.got.numel()} entries of {piece.name} are nan or inf: somewhere a 0 divides, a log takes 0, or an "
        "exp overflows."
    )
    return Diagnosis(Cause.NOT_FINITE, says, {"not_finite": bad})


def zero(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """All zeros."""
    if not all(piece.got.numel() and not bool(piece.got.any()) for piece in evidence):
        return None
    why = "." if evidence[0].subject == "out" else ": nothing is learnt from it."
    return Diagnosis(Cause.ZERO_GRADIENT, f"{evidence[0].name} is zero in every entry{why}", {})


def consistent_with_wrong_forward(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The backward fits the forward as written, and that forward is wrong."""
    if any(piece.forward_right or piece.own is None or not close(piece.got, piece.own) for piece in evidence):
        return None
    subject = evidence[0].name
    says = (
        f"{subject} is the right gradient of the forward that you wrote, but that forward is not the one of the definition. "
        "Fix the forward first."
    )
    return Diagnosis(Cause.CONSISTENT_WITH_WRONG_FORWARD, says, {})


def ignores_upstream(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The gradient that belongs to an upstream gradient of ones."""
    if evidence[0].subject == "out":
        return None
    for piece in evidence:
        ones = piece.vjp(map_tensors(torch.ones_like, piece.dout)).get(piece.subject)
        if ones is None or not close(piece.got, ones, scale=float(piece.expected.abs().max())) or close(ones, piece.expected):
            return None
    says = (
        f"{evidence[0].name} is what it would be if dout were all ones: the upstream gradient is not used. The chain rule "
        "multiplies by it."
    )
    return Diagnosis(Cause.IGNORES_UPSTREAM, says, {})


def constant_factor(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """A constant multiple of the right gradient; the constant is named if it can be."""
    factors = [factor(piece.got, piece.expected) for piece in evidence]
    if any(c is None for c in factors):
        return None
    return name_factor(evidence, [c for c in factors if c is not None])


def sums_of_dout(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """For a gradient that is dout summed over some axes: a mean instead, other axes, or everything."""
    for piece in evidence:
        if not isinstance(piece.dout, Tensor) or piece.dout.dim() < 1 or piece.subject == "out":
            return None
    subject = evidence[0].name
    for axes in _subsets(min(_dout(piece).dim() for piece in evidence)):
        if all(_fits(_dout(piece).sum(axes), piece.expected) for piece in evidence):
            named = ", ".join(map(str, axes))
            if all(_fits(_dout(piece).mean(axes), piece.got) for piece in evidence):
                says = f"{subject} is the mean of dout over axis {named}; every use adds up, so it must be the sum."
                return Diagnosis(Cause.MEAN_FOR_SUM, says, {"axes": list(axes)})
            for other in _subsets(min(_dout(piece).dim() for piece in evidence)):
                if other != axes and all(_spread(_dout(piece).mean(other), piece.got) for piece in evidence):
                    wrong = ", ".join(map(str, other))
                    says = f"{subject} is the mean of dout over axis {wrong}; it must be the sum over axis {named}."
                    return Diagnosis(Cause.WRONG_AXIS, says, {"axes": list(other), "expected_axes": list(axes)})
                if other != axes and all(_spread(_dout(piece).sum(other), piece.got) for piece in evidence):
                    wrong = ", ".join(map(str, other))
                    if set(other) < set(axes):
                        says = f"{subject} sums dout over axis {wrong} only; it belongs over axis {named}."
                        return Diagnosis(Cause.MISSING_REDUCTION, says, {"axes": list(other), "expected_axes": list(axes)})
                    says = f"{subject} sums dout over axis {wrong}; it belongs over axis {named}."
                    return Diagnosis(Cause.WRONG_AXIS, says, {"axes": list(other), "expected_axes": list(axes)})
    return None


def _dout(piece: Evidence) -> Tensor:
    dout: Tensor = piece.dout
    return dout


def _subsets(dimensions: int) -> list[tuple[int, ...]]:
    """Every choice of some axes; none of an array with more axes than any lesson has, since choices double with each."""
    if dimensions > MOST_AXES:
        return []
    return [axes for size in range(1, dimensions + 1) for axes in combinations(range(dimensions), size)]


def _fits(array: Tensor, target: Tensor) -> bool:
    return array.numel() == target.numel() and close(array.reshape(-1), target.reshape(-1))


def _spread(array: Tensor, target: Tensor) -> bool:
    """Whether `target` is `array`, perhaps copied along further axes."""
    if _fits(array, target):
        return True
    return array.numel() == 1 and close(array.reshape(()).expand(target.shape), target)


def summed_over_everything(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Every entry is the sum of all the right entries."""
    if not all(
        piece.expected.numel() > 1 and close(piece.expected.sum().expand(piece.got.shape), piece.got) for piece in evidence
    ):
        return None
    says = f"Every entry of {evidence[0].name} is the sum over all axes; sum only over those that the gradient does not have."
    return Diagnosis(Cause.WRONG_AXIS, says, {})


def missing_reduction(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The right gradient before its sum over some axes."""
    for piece in evidence:
        if piece.got.numel() <= piece.expected.numel() and piece.got.dim() <= piece.expected.dim():
            return None
        if not any(_fits(piece.got.sum(axes), piece.expected) for axes in _subsets(piece.got.dim())):
            return None
    piece = evidence[0]
    axes = next(axes for axes in _subsets(piece.got.dim()) if _fits(piece.got.sum(axes), piece.expected))
    named = ", ".join(map(str, axes))
    says = (
        f"{piece.name} has shape {tuple(piece.got.shape)}; summed over axis {named} it is right. The value was used once "
        "for each entry along that axis, and the gradients of all uses add up."
    )
    return Diagnosis(Cause.MISSING_REDUCTION, says, {"axes": list(axes)})


def silent_broadcast(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """(N, N) where a column met a row."""
    for piece in evidence:
        n = piece.expected.numel()
        if tuple(piece.got.shape) != (n, n) or n < 2 or piece.expected.shape == piece.got.shape:
            return None
    piece = evidence[0]
    shape = tuple(piece.got.shape)
    says = f"{piece.name} has shape {shape}: an (N, 1) column met an (N,) row and torch made an N x N matrix of them."
    return Diagnosis(Cause.SILENT_BROADCAST, says, {"shape": list(shape)})


def transposed(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The right gradient with its axes in another order."""
    for piece in evidence:
        if piece.got.dim() != piece.expected.dim() or piece.expected.dim() > 5:
            return None
        orders = [order for order in permutations(range(piece.expected.dim())) if order != tuple(range(piece.expected.dim()))]
        if not any(close(piece.got, piece.expected.permute(order)) for order in orders):
            return None
    subject = evidence[0].name
    shape = tuple(evidence[0].expected.shape)
    says = f"{subject} is the right gradient with its axes swapped; it must have the shape {shape} of its input."
    if evidence[0].subject == "out":
        says = f"{subject} has the right numbers with its axes swapped; its shape must be {shape}."
    return Diagnosis(Cause.TRANSPOSED, says, {"expected_shape": list(shape)})


def flipped(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The right gradient, reversed along some axes."""
    if not _same_shape(evidence) or any(piece.expected.dim() == 0 for piece in evidence):
        return None
    for axes in _subsets(min(piece.expected.dim() for piece in evidence)):
        if all(close(piece.got, piece.expected.flip(axes)) for piece in evidence):
            named = ", ".join(map(str, axes))
            says = f"{evidence[0].name} is the right gradient in reverse order along axis {named}."
            return Diagnosis(Cause.FLIPPED, says, {"axes": list(axes)})
    return None


def another_gradient(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The gradient of another primal."""
    names = set.intersection(*(set(piece.vjp(piece.dout)) for piece in evidence)) if evidence[0].subject != "out" else set()
    for name in sorted(names - {evidence[0].name}):
        if all(isinstance(r := piece.vjp(piece.dout)[name], Tensor) and close(piece.got, r) for piece in evidence):
            if _same_shape(evidence) and all(
                isinstance(own := piece.got_all.get(name), Tensor) and close(own, piece.got) for piece in evidence
            ):
                return _the_same(evidence, name)
            says = f"What you return as {evidence[0].name} is {name}: gradients come back in the order of the inputs."
            return Diagnosis(Cause.SWAPPED, says, {"is": name})
    return None


def _the_same(evidence: Sequence[Evidence], other: str) -> Diagnosis:
    """What is wrong with a gradient that is the same as another, which is right: a factor that only one of the two should have.

    Where the two are the same with a primal of ones, that primal is the factor, and it is in the one that is 0 with zeros.
    """
    piece, same = evidence[0], f"{evidence[0].name} is the same as {other}, which is right"
    for name in tensors(piece):
        ones, zeros = (
            [[ask(one, with_all(one, name, value), subject) for subject in (piece.subject, other)] for one in evidence]
            for value in (1.0, 0.0)
        )
        if not all(isinstance(a, Tensor) and isinstance(b, Tensor) and close(a, b) for a, b in ones):
            continue
        mine, its = ([bool(a.any()) if isinstance(a, Tensor) else None for a in side] for side in zip(*zeros, strict=True))
        told = {"is": other, "factor": name}
        if all(there is False for there in mine) and any(its):
            return Diagnosis(Cause.MISSING_TERM, f"{same}: the factor {name} is missing, which only {piece.name} has.", told)
        if all(there is False for there in its) and any(mine):
            return Diagnosis(Cause.EXTRA_TERM, f"{same}: it has the factor {name} too many, which only {other} has.", told)
    return Diagnosis(Cause.WRONG_OPERAND, f"{same}: one of the two has a factor that the other has not.", {"is": other})


def mask(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Right where the mask passes, not zero where it blocks; or just the other way round."""
    if not _same_shape(evidence):
        return None
    subject = evidence[0].name
    blocked = [piece.expected == 0 for piece in evidence]
    wrong = [wrong_entries(piece) for piece in evidence]
    some = all(bool(b.any()) for b in blocked)
    if some and all(bool(w.any()) and not bool((w & ~b).any()) for w, b in zip(wrong, blocked, strict=True)):
        says = f"{subject} is right where it should be nonzero and wrong only where it should be 0: the mask is missing there."
        return Diagnosis(Cause.MASK_MISSING, says, {"entries": int(wrong[0].sum())})
    # probes that block all or nothing say nothing; one at least must do both
    inverted = all(not bool(piece.got[~b].any()) for piece, b in zip(evidence, blocked, strict=True)) and any(
        bool(b.any()) and bool((piece.got[b] != 0).all()) and bool((~b).any()) for piece, b in zip(evidence, blocked, strict=True)
    )
    if inverted:
        says = f"{subject} is 0 where it should pass dout on, and passes it where it should be 0: the mask is inverted."
        return Diagnosis(Cause.MASK_INVERTED, says, {})
    other_way = all(
        one.dout is not None
        and isinstance(one.dout, Tensor)
        and one.dout.shape == one.got.shape
        and _passes_on_the_other_side(one)
        for one in evidence
    )
    if other_way:
        says = f"{subject} passes dout on unchanged just where it should not: the mask is inverted."
        return Diagnosis(Cause.MASK_INVERTED, says, {})
    return None


def _passes_on_the_other_side(piece: Evidence) -> bool:
    """Whether dout comes through as it is exactly in those entries where it should not."""
    mine, right = (array == piece.dout for array in (piece.got, piece.expected))
    sure = piece.dout != 0
    return bool((mine ^ right)[sure].all()) and bool(right[sure].any()) and not bool(right[sure].all())


def wrong_operand(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """For elementwise functions: the output stands where the input belongs, or the reverse."""
    if not _same_shape(evidence) or evidence[0].subject == "out":
        return None
    for piece in evidence:
        if not isinstance(piece.out, Tensor) or piece.out.shape != piece.got.shape:
            return None
    for first, second in (("out", "in"), ("in", "out")):
        if all(_exchanged(piece, first == "out") for piece in evidence):
            says = (
                f"In {evidence[0].name} the {'output' if first == 'out' else 'input'} stands where the "
                f"{'input' if second == 'in' else 'output'} belongs."
            )
            return Diagnosis(Cause.WRONG_OPERAND, says, {})
    return None


def _exchanged(piece: Evidence, out_for_input: bool) -> bool:
    primal = next(
        (leaf for leaf in leaves(dict(piece.primals)) if is_differentiable(leaf) and leaf.shape == piece.got.shape),
        None,
    )
    if primal is None:
        return False
    used, belongs = (piece.out, primal) if out_for_input else (primal, piece.out)
    return close(piece.got * belongs, piece.expected * used) and bool(piece.got.any())


def product_rule(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """For out = x · f(x): dout · f(x) alone, as if f were a constant."""
    if not _same_shape(evidence) or evidence[0].subject == "out":
        return None
    name = evidence[0].subject[1:]
    entries = 0
    for piece in evidence:
        x = piece.primals.get(name)
        if not isinstance(x, Tensor) or not isinstance(piece.out, Tensor) or piece.out.shape != piece.got.shape or x.is_complex():
            return None
        if not close(piece.got * x, piece.dout * piece.out) or not bool(piece.got.any()):
            return None
        entries += int((x != 0).sum())
    if entries < FEW_ENTRIES:
        return None
    says = (
        f"{evidence[0].name} is dout · out/{name}: of the product rule's two terms only one is there, as if what multiplies "
        f"{name} did not depend on {name}."
    )
    return Diagnosis(Cause.MISSING_TERM, says, {})


def rearranged(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """The same numbers in another order: a reshape where axes had to be moved first, or indices exchanged."""
    if not _same_shape(evidence):
        return None
    for piece in evidence:
        mine, right = (array.reshape(-1).sort().values for array in (piece.got, piece.expected))
        if len(right.unique()) < FEW_ENTRIES or not close(mine, right) or close(piece.got, piece.expected):
            return None
    says = (
        f"{evidence[0].name} has the right numbers in another order: two indices are exchanged, or a reshape stands where axes "
        "had to be moved first."
    )
    return Diagnosis(Cause.TRANSPOSED, says, {})


def an_argument(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """dout, an input or the output as it is."""
    if not _same_shape(evidence) or evidence[0].subject == "out":
        return None
    if all(isinstance(piece.dout, Tensor) and close(piece.got, piece.dout) and bool(piece.got.any()) for piece in evidence):
        says = f"{evidence[0].name} is dout as it came in: the slope of the function is missing."
        return Diagnosis(Cause.MISSING_TERM, says, {"is": "dout"})
    for name in (*evidence[0].primals, "out"):
        values = [piece.out if name == "out" else piece.primals.get(name) for piece in evidence]
        pairs = list(zip(evidence, values, strict=True))
        if all(isinstance(x, Tensor) and close(piece.got, x) and bool(piece.got.any()) for piece, x in pairs):
            says = f"{evidence[0].name} is {name} itself, whatever dout is."
            return Diagnosis(Cause.WRONG_OPERAND, says, {"is": name})
    return None


def factor_in_some(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """One factor in all entries that are wrong; the others are right."""
    if not _same_shape(evidence) or any(piece.got.is_complex() for piece in evidence):
        return None
    wrong = [wrong_entries(piece) for piece in evidence]
    if sum(int(bad.sum()) for bad in wrong) < FEW_ENTRIES or all(bool(bad.all()) for bad in wrong):
        return None
    got, expected = (
        torch.cat([getattr(piece, side)[bad] for piece, bad in zip(evidence, wrong, strict=True)]) for side in ("got", "expected")
    )
    c = factor(got, expected)
    if c is None:
        return None
    name = evidence[0].name
    if abs(c + 1) <= LOOSE:
        return Diagnosis(Cause.SIGN, f"{name} has the opposite sign in every entry that is wrong.", {"factor": -1})
    says = f"{name} is exactly {c:.6g} times the right value in every entry that is wrong, and right elsewhere."
    return Diagnosis(Cause.CONSTANT_FACTOR, says, {"factor": c})


def zero_where_wrong(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """0 in every entry that is wrong: what belongs there is masked out, or was never added."""
    if not _same_shape(evidence):
        return None
    wrong = [wrong_entries(piece) for piece in evidence]
    if any(bool(piece.got[bad].any()) for piece, bad in zip(evidence, wrong, strict=True)):
        return None
    if not any(bool(piece.got.any()) for piece in evidence):  # nowhere right: the zero gradient
        return None
    if sum(int(bad.sum()) for bad in wrong) < FEW_ENTRIES:
        return None
    says = f"{evidence[0].name} is 0 in every entry that is wrong, and right elsewhere: a term is missing there, or masked out."
    return Diagnosis(Cause.MISSING_TERM, says, {"entries": int(wrong[0].sum())})


def border(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Wrong only in the outermost rows and columns of the last two axes, where something is padded."""
    if not _same_shape(evidence) or not all(piece.expected.dim() >= 3 and "padding" in piece.hyper for piece in evidence):
        return None
    for piece in evidence:
        bad = wrong_entries(piece)
        inner = bad[..., 1:-1, 1:-1] if piece.expected.dim() >= 4 else bad[..., 1:-1]
        if not inner.numel() or bool(inner.any()) or not bool(bad.any()):
            return None
    subject = evidence[0].name
    why = "x stands in a frame of zeros" if evidence[0].subject == "out" else "the padding is not undone there as it was applied"
    says = f"{subject} is wrong only at the border: {why}."
    return Diagnosis(Cause.BORDER, says, {})


def missing_term(evidence: Sequence[Evidence]) -> Diagnosis | None:
    """Off by something that is the same along an axis: a term that comes through a sum or mean over that axis is missing."""
    if not _same_shape(evidence) or evidence[0].subject == "out" or any(p.expected.dim() < 1 for p in evidence):
        return None
    for axis in range(min(piece.expected.dim() for piece in evidence)):
        if all(
            piece.expected.shape[axis] > 1 and _constant(piece.got - piece.expected, axis) and not _constant(piece.expected, axis)
            for piece in evidence
        ):
            says = (
                f"The error of {evidence[0].name} is the same for all entries along axis {axis}: the term that comes through "
                "the sum or mean over that axis is missing or wrong."
            )
            return Diagnosis(Cause.MISSING_TERM, says, {"axis": axis})
    return None


def _constant(difference: Tensor, axis: int) -> bool:
    return bool(difference.any()) and close(difference, difference.mean(axis, keepdim=True).expand_as(difference))


RELATIONS: tuple[Relation, ...] = (
    not_finite,
    consistent_with_wrong_forward,
    zero,
    rows_missing,
    ignores_upstream,
    sums_of_dout,
    constant_factor,
    missing_reduction,
    silent_broadcast,
    transposed,
    another_gradient,
    summed_over_everything,
    flipped,
    mask,
    another_operand,
    another_setting,
    another_axis,
    an_argument,
    own_entry_only,
    factor_in_some,
    product_rule,
    border,
    left_out,
    cut_at_zero,
    zero_where_wrong,
    edited_factor,
    wrong_operand,
    overwritten,
    another_cotangent,
    flipped_operand,
    stuck_operand,
    ignored_primal,
    edited_reduction,
    edited_term,
    added_again,
    missing_term,
    entries_missing,
    row_length,
    rearranged,
    read_in_another_order,
    one_step,
)
"""Every relation, the simplest first."""

ASKING = (
    another_operand,
    another_setting,
    another_axis,
    an_argument,
    own_entry_only,
    factor_in_some,
    product_rule,
    left_out,
    cut_at_zero,
    zero_where_wrong,
    edited_factor,
    wrong_operand,
    overwritten,
    another_cotangent,
    flipped_operand,
    stuck_operand,
    ignored_primal,
    edited_reduction,
    edited_term,
    added_again,
    row_length,
    rearranged,
    read_in_another_order,
    one_step,
)
"""Those that ask the definition another question, or need real numbers, an order or single entries."""

SIMPLE = tuple(relation for relation in RELATIONS if relation not in ASKING)
"""Relations between the two arrays as they are: those that may hold on most probes only."""
