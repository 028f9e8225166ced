"""Gradients without an oracle: where finite differences contradict one, which entry is wrong, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograd_check.verify.candidate import Point
from autograd_check.verify.compare import compare
from autograd_check.verify.entries import Sweep, entry_gradient
from autograd_check.verify.evidence import Evidence
from autograd_check.verify.finding import Diagnosis, Finding
from autograd_check.verify.ground import make_ground
from autograd_check.verify.localise import corrected
from autograd_check.verify.scale import largest
from autograd_check.verify.tree import leaves, map_leaves, named_leaves
from autograd_check.verify.values import mismatch_text

MOST_ENTRIES = 512
"""Up to this size every entry of a wrong gradient is differenced, so that its cause can be looked for."""
TAPED = 1e-10
"""Relative to the largest entry: what counts as a difference from a gradient that autograd took of the same forward."""
LOOSE = 1e-6
"""Relative to the largest entry: what counts as a difference when entries come from finite differences themselves."""


def locate(
    finding: Finding,
    name: str,
    point: Point,
    gradient: Any,
    dout: Any,
    sweep: Sweep,
    tape: Mapping[str, Any],
    explain: Callable[[Sequence[Evidence]], Diagnosis | None],
    leaf: int = 0,
) -> Finding:
    """The finding with a mismatch and a cause, from the tape where it reaches and from differences of every entry elsewhere.

    `leaf` is the number of the tensor in a nested primal; the text then says which one it is.
    """
    if not isinstance(point.primals[name], Tensor):
        return _locate_part(finding, name, point, gradient, dout, sweep, tape, explain, leaf)
    return _locate(finding, f"d{name}", name, point, gradient, dout, sweep, tape, explain)


def _locate(
    finding: Finding,
    subject: str,
    name: str,
    point: Point,
    gradient: Any,
    dout: Any,
    sweep: Sweep,
    tape: Mapping[str, Any],
    explain: Callable[[Sequence[Evidence]], Diagnosis | None],
) -> Finding:
    x = point.primals[name]
    if not isinstance(gradient, Tensor) or not isinstance(x, Tensor) or gradient.shape != x.shape:
        return finding
    expected, slack = tape.get(f"d{name}"), TAPED
    if not isinstance(expected, Tensor):
        expected, slack = _bisected(name, point, gradient, dout, sweep), 0.0
    if expected is None and x.numel() <= MOST_ENTRIES and not x.is_complex():
        expected, slack = entry_gradient(sweep, point, name, dout, range(x.numel())).reshape(x.shape), LOOSE
    if expected is None or not bool(torch.isfinite(expected).all()):
        return finding
    scale = max(largest(expected), largest(torch.nan_to_num(gradient)))
    mismatch = compare(gradient.detach().to(expected.dtype), expected, slack * scale)
    if mismatch is None:
        return finding
    if x.is_complex():
        return replace(finding, message=f"{mismatch_text(mismatch)}; {finding.message}", mismatch=mismatch)
    evidence = Evidence(
        subject=subject,
        got=gradient.detach().to(torch.float64),
        expected=_polished(gradient.detach().to(torch.float64), expected),
        primals=point.primals,
        hyper=point.hyper,
        out=None,
        dout=dout,
        vjp=lambda _: {},
        got_all={},
    )
    return replace(
        finding, message=f"{mismatch_text(mismatch)}; {finding.message}", mismatch=mismatch, diagnosis=explain([evidence])
    )


def _locate_part(
    finding: Finding,
    name: str,
    point: Point,
    gradient: Any,
    dout: Any,
    sweep: Sweep,
    tape: Mapping[str, Any],
    explain: Callable[[Sequence[Evidence]], Diagnosis | None],
    leaf: int,
) -> Finding:
    """The same for one tensor of a nest: it alone becomes the primal, and is put back in its place for every evaluation."""
    nest = point.primals[name]
    path, x = list(named_leaves(nest, f"d{name}"))[leaf]

    def nested(part: Point) -> Point:
        places = iter(range(leaf + 1))
        whole = map_leaves(lambda old: part.primals[name] if next(places, None) == leaf else old, nest)
        return Point({**part.primals, name: whole}, part.hyper)

    own = leaves(tape.get(f"d{name}"))
    found = _locate(
        finding,
        path,
        name,
        Point({**point.primals, name: x}, point.hyper),
        leaves(gradient)[leaf],
        dout,
        lambda points, signatures: sweep([nested(part) for part in points], signatures),
        {f"d{name}": own[leaf]} if leaf < len(own) else {},
        explain,
    )
    return found if found is finding else replace(found, message=f"{path}: {found.message}")


def _bisected(name: str, point: Point, gradient: Tensor, dout: Any, sweep: Sweep) -> Tensor | None:
    if not bool(torch.isfinite(gradient).all()):
        return None
    ground = make_ground(sweep, point, dout)
    return corrected(ground, name, gradient, Generator().manual_seed(0)) if ground is not None else None


def _polished(got: Tensor, expected: Tensor) -> Tensor:
    """The expected array, with entries that agree to the accuracy of differences taken from `got`: they are not the mistake."""
    return torch.where((got - expected).abs() <= 1e-8 * expected.abs(), got, expected)
