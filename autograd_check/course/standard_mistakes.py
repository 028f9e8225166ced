"""Mistakes of every layer, made from the right gradient by wrapping the reference's passes.

They are inverses of the relations by which causes are found, so they say nothing about how well causes are found; they are
tests that each lesson's probes show them. The text is appended to the reference, so that it runs wherever students' code runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from autograd_check.causes import Cause
from autograd_check.course.layers import Layer, Stateful, Stochastic
from autograd_check.course.shapes import REST, Signature
from autograd_check.errors import CourseError

STANDARD: dict[str, tuple[Cause, str]] = {
    "averaged": (Cause.MEAN_FOR_SUM, "g / len(dout)"),
    "summed over everything": (Cause.WRONG_AXIS, "g.sum() * torch.ones_like(g)"),
    "transposed": (Cause.TRANSPOSED, "g.mT"),
    "negated": (Cause.SIGN, "-g"),
    "zero": (Cause.ZERO_GRADIENT, "g * 0"),
    "doubled": (Cause.CONSTANT_FACTOR, "2 * g"),
    "not summed": (Cause.MISSING_REDUCTION, "torch.stack([take(row(dout, n)) for n in range(len(dout))])"),
    "of the last row only": (Cause.OVERWRITTEN, "take(row(dout, len(dout) - 1))"),
}
"""How a gradient g is spoilt, with the cause. `take(dout)` is that gradient for another dout, `row` keeps one row of it."""

PER_ROW = ("averaged", "not summed", "of the last row only")
"""Made from the rows of dout: not for a loss, which has none."""


@dataclass(frozen=True)
class Standard:
    """One of them: what is done to which gradient ("" for all of them), or by which size it is divided."""

    what: str
    gradient: str
    cause: Cause
    size: str = ""

    @classmethod
    def named(cls, name: str) -> Standard:
        """The one of this name. Raises `CourseError`, which lists them."""
        if found := re.fullmatch(r"upstream ignored(?: in (d\w+))?", name):
            return cls("upstream ignored", found[1] or "", Cause.IGNORES_UPSTREAM)
        if found := re.fullmatch(r"(d\w+) divided by (\w+)", name):
            return cls("divided", found[1], Cause.EXTRA_BATCH_MEAN, found[2])
        gradient, _, what = name.partition(" ")
        if what not in STANDARD or not gradient.startswith("d"):
            known = ", ".join(f'"dw {each}"' for each in (*STANDARD, "divided by N"))
            raise CourseError(f'standard({name!r}): there are "upstream ignored", "upstream ignored in dw", {known}.')
        return cls(what, gradient, STANDARD[what][0])


def wrapped(made: Standard, name: str, task: Layer | Stateful | Stochastic) -> str:
    """The text that is appended to the reference. Raises `CourseError` where the task's shapes do not allow it."""
    signature = task.signature
    if signature is None:
        raise CourseError(f"standard({name!r}) needs a task whose shapes are written as text.")
    if made.what in PER_ROW and not all(out.axes for out in signature.outs if out.name != "state"):
        raise CourseError(f"standard({name!r}): out has no rows; for a loss say '{made.gradient} divided by N'.")
    gradient = made.gradient or f"d{task.wrt[0]}"
    keep, divisor = _divisor(made, name, signature, task)
    place = f"[{task.wrt.index(gradient[1:])}]" if len(task.wrt) > 1 else ""
    spoilt = "take(ones(dout))" if made.what == "upstream ignored" else f"g / {divisor}" if made.size else STANDARD[made.what][1]
    helpers = {"ones(": _ONES, "row(": _ROW, "take(": f"    take = lambda dout: right(dout, cache){place}"}
    if made.what == "upstream ignored" and not made.gradient:
        body = [_ONES, "    return right(ones(dout), cache)"]
    else:
        several = f"return (*grads[:{place[1:-1]}], g, *grads[{place[1:-1]} + 1 :])" if place else "return g"
        body = [
            *(line for word, line in helpers.items() if word in spoilt),
            "    grads = right(dout, cache)",
            f"    g = grads{place}",
            f"    g = {spoilt}",
            f"    {several}",
        ]
    unpacked = ["    size, cache = cache"] if keep else []
    begin = f"def {task.backward}(dout, cache, right={task.backward}):"
    return "\n".join(["import torch", "", "", *keep, begin, *unpacked, *body, ""])


_ONES = "    ones = lambda dout: tuple(map(ones, dout)) if isinstance(dout, tuple) else torch.ones_like(dout)"
_ROW = "    row = lambda dout, n: dout * (torch.arange(len(dout)) == n).reshape(-1, *[1] * (dout.dim() - 1))"


def _divisor(made: Standard, name: str, signature: Signature, task: Layer | Stateful | Stochastic) -> tuple[list[str], str]:
    """Lines that keep a size of the forward's arguments for the backward, and the size's name there."""
    if not made.size:
        return [], ""
    for position, primal in enumerate(signature.primals):
        for axis, each in enumerate(primal.axes or ()):
            if each.name == made.size and each.count == 1 and all(a.name != REST for a in (primal.axes or ())[:axis]):
                lines = [
                    f"def {task.forward}(*primals, right={task.forward}, **hyper):",
                    "    *values, cache = right(*primals, **hyper)",
                    f"    return (*values, (primals[{position}].shape[{axis}], cache))",
                    "",
                    "",
                ]
                return lines, "size"
    raise CourseError(f"standard({name!r}): no primal has an axis {made.size}; there are {', '.join(signature.sizes)}.")
