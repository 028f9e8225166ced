"""Gradients without an oracle: where finite differences contradict one, which entry is wrong, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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


Explain = Callable[[Sequence[Evidence]], Diagnosis | None]
"""Finds the cause of a wrong gradient from all cases in which it was wrong."""


@dataclass(frozen=True)
class Suspect:
    """A gradient that finite differences contradict: what it is called, where it was taken, and who can tell more about it.

    `tape` is autograd's gradient of the same forward, None where it does not reach; `explain` finds a cause.
    """

    subject: str
    name: str
    point: Point
    gradient: Any
    dout: Any
    sweep: Sweep
    tape: Any
    explain: Explain

    def part(self, leaf: int) -> Suspect:
        """One tensor of a nest: it alone becomes the primal, and is put back in its place for every evaluation."""
        nest, name = self.point.primals[self.name], self.name
        path, x = list(named_leaves(nest, self.subject))[leaf]

        def nested(part: Point) -> Point:
            places = iter(range(leaf + 1))
            whole = map_leaves(lambda old: part.primals[name] if next(places, None) == leaf else old, nest)
            return Point({**part.primals, name: whole}, part.hyper)

        own = leaves(self.tape)
        return replace(
            self,
            subject=path,
            point=Point({**self.point.primals, name: x}, self.point.hyper),
            gradient=leaves(self.gradient)[leaf],
            sweep=lambda points, signatures: self.sweep([nested(part) for part in points], signatures),
            tape=own[leaf] if leaf < len(own) else None,
        )


def locate(finding: Finding, suspect: Suspect, leaf: int = 0) -> Finding:
    """The finding with a mismatch and a cause, from the tape where it reaches and from differences of every entry elsewhere.

    `leaf` is the number of the tensor in a nested primal; the text then says which one it is.
    """
    if isinstance(suspect.point.primals[suspect.name], Tensor):
        return _locate(finding, suspect)
    part = suspect.part(leaf)
    found = _locate(finding, part)
    return found if found is finding else replace(found, message=f"{part.subject}: {found.message}")


def _locate(finding: Finding, suspect: Suspect) -> Finding:
    x, gradient = suspect.point.primals[suspect.name], suspect.gradient
    if not isinstance(gradient, Tensor) or not isinstance(x, Tensor) or gradient.shape != x.shape:
        return finding
    expected, slack = suspect.tape, TAPED
    if not isinstance(expected, Tensor):
        expected, slack = _bisected(suspect), 0.0
    if expected is None and x.numel() <= MOST_ENTRIES and not x.is_complex():
        entries = entry_gradient(suspect.sweep, suspect.point, suspect.name, suspect.dout, range(x.numel()))
        expected, slack = entries.reshape(x.shape), LOOSE
    if expected is None or not bool(torch.isfinite(expected).all()):
        return finding
    scale = max(largest(expected), largest(torch.nan_to_num(gradient)))
    mismatch = compare(gradient.detach().to(expected.dtype), expected, slack * scale)
    if mismatch is None:
        return finding
    text = f"{mismatch_text(mismatch)}; {finding.message}"
    if x.is_complex():
        return replace(finding, message=text, mismatch=mismatch)
    evidence = Evidence(
        subject=suspect.subject,
        got=gradient.detach().to(torch.float64),
        expected=_polished(gradient.detach().to(torch.float64), expected),
        primals=suspect.point.primals,
        hyper=suspect.point.hyper,
        out=None,
        dout=suspect.dout,
        vjp=lambda _: {},
        got_all={},
    )
    return replace(finding, message=text, mismatch=mismatch, diagnosis=suspect.explain([evidence]))


def _bisected(suspect: Suspect) -> Tensor | None:
    if not bool(torch.isfinite(suspect.gradient).all()):
        return None
    ground = make_ground(suspect.sweep, suspect.point, suspect.dout)
    return corrected(ground, suspect.name, suspect.gradient, Generator().manual_seed(0)) if ground is not None else None


def _polished(got: Tensor, expected: Tensor) -> Tensor:
    """The expected array, with entries that agree to the accuracy of differences taken from `got`: they are not the mistake."""
    return torch.where((got - expected).abs() <= 1e-8 * expected.abs(), got, expected)
