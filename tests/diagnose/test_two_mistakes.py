"""Where one array holds two mistakes both are told, and nothing is made of a coincidence."""

from __future__ import annotations

from typing import Any

import torch

from autograd_check.causes import Cause
from autograd_check.diagnose.evidence import Evidence
from autograd_check.diagnose.explain import explain
from autograd_check.diagnose.fingerprints import Fingerprint
from autograd_check.verify.finding import Source


def random(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def piece(rows: int, wrong: Any) -> Evidence:
    """dw of x @ w, spoilt by `wrong(x, dout)`."""
    x, dout = random(rows, 3, seed=rows), random(rows, 3, seed=rows + 1)
    got = wrong(x, dout)
    return Evidence("dw", got, x.T @ dout, {"x": x}, {}, x, dout, lambda d: {"dw": x.T @ d}, {"dw": got})


def edit(name: str, dw: Any) -> Fingerprint:
    return Fingerprint(name, Cause.MASK_MISSING, lambda primals, hyper, dout: {"dw": dw(primals["x"], dout)})


MASKED = edit("negative inputs are left out", lambda x, dout: x.clamp(min=0).T @ dout)


def test_a_factor_beside_a_known_mistake() -> None:
    pieces = [piece(rows, lambda x, dout: x.clamp(min=0).T @ dout / len(x)) for rows in (4, 7)]
    found = explain(pieces, [MASKED])
    assert found is not None
    assert (found.cause, found.source) == (Cause.MASK_MISSING, Source.FINGERPRINT)
    assert found.says.startswith(
        "Two things are wrong at once. One: negative inputs are left out. And besides: Every entry of dw is exactly 1/4 of what that "
        "alone would give, and this batch has 4 rows"
    )
    assert found.evidence == {"first": "negative inputs are left out", "second": "extra_batch_mean"}


def test_swapped_axes_beside_an_edit_of_the_definition() -> None:
    pieces = [piece(rows, lambda x, dout: (x.clamp(min=0).T @ dout).T) for rows in (4, 7)]
    found = explain(pieces, (), lambda forward: [] if forward else [MASKED])
    assert found is not None
    assert (found.cause, found.source) == (Cause.MASK_MISSING, Source.MUTANT)
    assert found.says.endswith("And besides: dw is what that alone would give with its axes swapped.")


def test_one_mistake_is_not_two_and_neither_is_an_unknown_one() -> None:
    alone = [piece(rows, lambda x, dout: x.clamp(min=0).T @ dout) for rows in (4, 7)]
    known = explain(alone, [MASKED])
    assert known is not None
    assert "Two things" not in known.says
    for wrong in (
        lambda x, dout: x.clamp(min=0).T @ dout / len(x) + 1e-3,  # near, and not equal
        lambda x, dout: x.clamp(min=0).T @ dout * (1 + x.mean() ** 2),  # another factor on each probe
    ):
        found = explain([piece(rows, wrong) for rows in (4, 7)], [MASKED])
        assert found is not None
        assert "Two things" not in found.says


def test_a_harmless_edit_is_no_part_of_it() -> None:
    nothing = edit("nothing", lambda x, dout: x.T @ dout)
    pieces = [piece(rows, lambda x, dout: (x.T @ dout) * (2.0 if len(x) == 4 else 3.0)) for rows in (4, 7)]
    found = explain(pieces, [nothing])
    assert found is not None
    assert "Two things" not in found.says


def test_an_edit_that_gives_truth_values_is_calculated_with() -> None:
    pieces = [piece(rows, lambda x, dout: 3 * x.T @ dout + 1) for rows in (4, 7)]
    found = explain(pieces, (), lambda forward: [] if forward else [edit("a comparison alone", lambda x, dout: x.T @ dout > 0)])
    assert found is not None
    assert found.cause is Cause.UNKNOWN
    assert "error" not in found.evidence


def test_a_search_that_fails_leaves_the_verdict_alone() -> None:
    def broken(forward: bool) -> list[Fingerprint]:
        raise RuntimeError("no such edit")

    pieces = [piece(rows, lambda x, dout: 3 * x.T @ dout + 1) for rows in (4, 7)]
    found = explain(pieces, (), broken)
    assert found is not None
    assert (found.cause, found.evidence) == (Cause.UNKNOWN, {"error": "RuntimeError"})
    assert found.says == "The search for a cause failed (RuntimeError: no such edit); please report it."
