"""Every small sample of torch's operator database: ours beside torch's fast mode, right gradients and wrong ones.

    python tests/peers.py            run what is missing in peers.jsonl, then write docs/peers.md
    python tests/peers.py --table    write the table of what there is

Resumable: a line of peers.jsonl is an operator, a kind and a seed. `make peers` shares the work of two processes by `--part`, each with a file of its
own (`--kept`).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.autograd.gradcheck import gradcheck as torch_gradcheck
from torch.autograd.gradcheck import gradgradcheck as torch_gradgradcheck

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is there

import autograd_check as ac
from tests.operators import SPOILS, Case, cases, database, spoiled, title

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "peers.jsonl"
TABLE = ROOT / "docs" / "peers.md"
DTYPES = (torch.float64, torch.complex128)
NOTHING = 1e-14
"""A gradient of no larger entries is that of a constant, such as the correlation of a row with itself."""
TORCHS = (
    "hardsigmoid: float64 is multiplied by 1/6 rounded to float32, which is off by 3.0e-8.",
    "binary_cross_entropy, second derivative: 1e-12 is added to x and 1 − x before they divide; off by 8e-10 near 0 and 1.",
    "logcumsumexp, forward mode: 1e-13 is added to the sum that divides. For x = (0, 1, 12, 16) the tangent is off by −8.9e-7, −2.4e-7 and "
    "−5.5e-12, which is −1e-13/Σ exp(x − max) each time.",
    "cholesky_inverse, forward mode: for L = (1 0; 1 1), moved by (0 0; 1 0), the tangent is (4 −1; −1 −2), and the derivative (2 −1; −1 0), as differences "
    "and torch's own backward say. The samples lie near the identity, where that is 1e-6.",
    "svd_lowrank (and pca_lowrank, which calls it) of complex matrices, second derivative: rounding in it is amplified by 2³¹ now and then. Moving the inputs by "
    "one unit in the last place moves it by 6e-6 of itself, and the first derivative by 1e-12; differences of that are steady to 1e-9.",
)
"""What fails because torch's formula is wrong, with the evidence."""
UNTOLD = (
    "erfc at −5.2 and ndtr near 5 differ from a constant by 1e-13, which no difference in float64 tells from rounding.",
    "logsumexp near 2,000, forward over reverse: it rounds inside to 2e-13, and its second derivatives are 1e-9 of the output.",
    "The bias of attention's key, and what else has a slope of 1e-11 of the output: rounding leaves more.",
    "masked.std and masked.var of a single entry: the gradient is not finite. torch's own check fails as well.",
    "One wrong tangent of sgn: the entry that is off by 1e-5 of itself is so small that it moves the slope by 3e-10 of its size, below the resolution of 1e-9.",
)
"""What does not pass because no arithmetic, or nobody here, can tell."""
SLOW_ENTRIES = 200
"""torch's slow mode takes part with the first seed, for inputs of fewer entries than this."""


def gradient(case: Case, **asked: Any) -> dict[str, Any]:
    return {"nondet_tol": case.nondet, **asked}


KINDS: dict[str, tuple[Callable[[Case], bool], Callable[..., Any], Callable[..., Any], Callable[[Case], dict[str, Any]]]] = {
    "gradcheck": (lambda case: True, ac.gradcheck, torch_gradcheck, gradient),
    "in place": (lambda case: True, ac.gradcheck, torch_gradcheck, gradient),
    "forward mode": (
        lambda case: case.forward,
        ac.gradcheck,
        torch_gradcheck,
        lambda case: gradient(case, check_forward_ad=True, check_backward_ad=False, check_undefined_grad=False),
    ),
    "gradgradcheck": (lambda case: case.second, ac.gradgradcheck, torch_gradgradcheck, gradient),
    "forward over reverse": (
        lambda case: case.forward_over_reverse,
        ac.gradgradcheck,
        torch_gradgradcheck,
        lambda case: gradient(case, check_fwd_over_rev=True, check_rev_over_rev=False, check_undefined_grad=False),
    ),
}


def timed(call: Callable[[], Any]) -> tuple[str, float, str]:
    """Status, seconds and what was said."""
    start = time.perf_counter()
    try:
        answer = call()
    except Exception as error:  # a crash is what is looked for
        return "crashed", time.perf_counter() - start, f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    if isinstance(answer, bool):
        return "passed" if answer else "failed", seconds, ""
    return str(answer.status), seconds, "" if answer else answer.to_text()


def pairs(op: Any, kind: str, seed: int) -> Iterator[dict[str, Any]]:
    """A record of every sample of an operator."""
    takes, ours, theirs, asked = KINDS[kind]
    number = 0
    for dtype in DTYPES:
        for case in cases(op, dtype, seed, inplace=kind == "in place"):
            if not takes(case):
                continue
            arguments = asked(case)
            mine = partial(ours, case.func, case.inputs, raise_exception=False, seed=seed, **arguments)
            other = partial(theirs, case.func, case.inputs, raise_exception=False, fast_mode=True, **arguments)
            number += 1  # in turn, since whoever comes second finds everything warm
            if number % 2:
                (status, seconds, said), (fast, took, _) = timed(mine), timed(other)
            else:
                (fast, took, _), (status, seconds, said) = timed(other), timed(mine)
            record = {"case": case.name, "status": status, "seconds": seconds, "fast": fast, "fast_seconds": took}
            entries = sum(x.numel() for x in case.inputs if isinstance(x, torch.Tensor))
            if kind == "gradcheck" and seed == 0 and entries < SLOW_ENTRIES:
                slow, took, _ = timed(partial(theirs, case.func, case.inputs, raise_exception=False, **arguments))
                record |= {"slow": slow, "slow_seconds": took}
            yield record | {"entries": entries, "said": said[:2000]}


def wrong(op: Any, seed: int) -> Iterator[dict[str, Any]]:
    """A record of every wrong gradient of one sample of an operator."""
    for dtype in DTYPES:
        found = (
            case for case in cases(op, dtype, seed) if sum(x.numel() for x in case.inputs if isinstance(x, torch.Tensor)) > 3
        )
        case = next(found, None)
        if case is None:
            continue
        for name, spoil in SPOILS.items():
            for forward in (False, True):
                if (forward and not case.forward) or not shows(case, spoiled(case, spoil, forward=forward), forward):
                    continue
                function = spoiled(case, spoil, forward=forward)
                asked: dict[str, Any] = {"check_forward_ad": forward, "check_backward_ad": not forward}
                call = partial(ac.gradcheck, function, case.inputs, raise_exception=False, seed=seed, **asked)
                status, seconds, said = timed(call)
                label = f"{name}, jvp" if forward else name
                yield {"case": case.name, "wrong": label, "status": status, "seconds": seconds, "said": said[:2000]}


def shows(case: Case, function: Callable[..., Any], forward: bool) -> bool:
    """Whether the error is there: it may fall on an entry that does not matter, and a gradient of rounding alone has none."""
    try:
        right, spoilt = derivative(case, case.func, forward), derivative(case, function, forward)
    except Exception:  # then torch's own tests leave it out as well
        return False
    return any(
        bool((a - b).abs().max() > 1e-7 * a.abs().max())
        for a, b in zip(right, spoilt, strict=True)
        if a.numel() and a.abs().max() > NOTHING
    )


def derivative(case: Case, function: Callable[..., Any], forward: bool) -> list[torch.Tensor]:
    place = next(k for k, x in enumerate(case.inputs) if isinstance(x, torch.Tensor) and x.requires_grad)
    generator = torch.Generator().manual_seed(1)
    torch.default_generator.manual_seed(0)
    given = [x.detach().clone() if isinstance(x, torch.Tensor) else x for x in case.inputs]
    if forward:
        with torch.autograd.forward_ad.dual_level():
            tangent = torch.randn(given[place].shape, generator=generator, dtype=torch.float64).to(given[place].dtype)
            given[place] = torch.autograd.forward_ad.make_dual(given[place], tangent)
            outs = [torch.autograd.forward_ad.unpack_dual(o)[1] for o in outputs(function(*given))]
            return [out for out in outs if out is not None]
    given[place].requires_grad_()
    outs = [out for out in outputs(function(*given)) if out.requires_grad]
    douts = [(torch.randn(o.shape, generator=generator, dtype=torch.float64) + 0.3).to(o.dtype) for o in outs]
    return list(torch.autograd.grad(outs, [given[place]], douts))


def outputs(out: Any) -> list[torch.Tensor]:
    found = out if isinstance(out, (tuple, list)) else [out]
    return [leaf for leaf in found if isinstance(leaf, torch.Tensor) and (leaf.is_floating_point() or leaf.is_complex())]


def run(path: Path, seeds: list[int], kinds: list[str], part: tuple[int, int], budget: float) -> None:
    done = {(row["op"], row["kind"], row["seed"]) for row in rows(path)}
    start = time.monotonic()
    with path.open("a") as kept:
        for seed in seeds:
            for kind in kinds:
                for op in list(database())[part[0] :: part[1]]:
                    if time.monotonic() - start > budget:
                        return
                    if (title(op), kind, seed) in done:
                        continue
                    try:
                        records = list(wrong(op, seed) if kind == "wrong" else pairs(op, kind, seed))
                    except Exception as error:  # its samples cannot be made
                        records = [{"case": title(op), "status": "no samples", "said": str(error)[:300]}]
                    kept.write(json.dumps({"op": title(op), "kind": kind, "seed": seed, "records": records}) + "\n")
                    kept.flush()


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def share(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def table(path: Path) -> str:
    found = rows(path)
    lines = [
        "# gradcheck beside torch's own, over torch's operator database",
        "",
        f"Made by `make peers` with Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}, one thread. Every sample under",
        "2,000 entries in float64 and complex128; operators whose own gradient test torch skips or expects to fail are left out.",
        "",
        "## Right gradients",
        "",
        "| check | seeds | operators | pairs | passed | failed | inconclusive | crashed | longest | ours / fast mode: median, 10 %, 90 % |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    alarms: list[str] = []
    every: list[float] = []
    for kind in KINDS:
        chosen = [row for row in found if row["kind"] == kind]
        records = [record for row in chosen for record in row["records"] if record["status"] != "no samples"]
        if not records:
            continue
        counts = Counter(record["status"] for record in records)
        ratios = [r["seconds"] / r["fast_seconds"] for r in records if r["status"] == r["fast"] == "passed"] or [0.0]
        every += ratios
        seeds = ", ".join(map(str, sorted({row["seed"] for row in chosen})))
        numbers = " | ".join(str(counts.get(status, 0)) for status in ("passed", "failed", "inconclusive", "crashed"))
        speed = f"{statistics.median(ratios):.2f}, {share(ratios, 0.1):.2f}, {share(ratios, 0.9):.2f}"
        operators = len({row["op"] for row in chosen if row["records"]})
        longest = max(record["seconds"] for record in records)
        lines.append(f"| {kind} | {seeds} | {operators} | {len(records)} | {numbers} | {longest:.1f} s | {speed} |")
        seen = Counter(
            (record["case"].rsplit(" #", 1)[0], record["status"]) for record in records if record["status"] != "passed"
        )
        alarms += [f"- {kind}, {case}: {status} in {count}" for (case, status), count in sorted(seen.items())]
    if every:
        lines += [
            "",
            f"ours / fast mode over all: {statistics.median(every):.2f} in the median, {share(every, 0.9):.2f} at 90 %.",
        ]
    slow = [r for row in found for r in row["records"] if r.get("slow") == r["status"] == "passed"]
    if slow:
        small = [r["slow_seconds"] / r["seconds"] for r in slow if r["entries"] < 50]
        large = [r["slow_seconds"] / r["seconds"] for r in slow if r["entries"] >= 50]
        for name, ratios in (("below 50 entries", small), ("from 50 to 200", large)):
            if ratios:
                lines += [
                    "",
                    f"torch's slow mode / ours, {name}: {statistics.median(ratios):.2f} in the median of {len(ratios)} pairs.",
                ]
    lines += ["", "What did not pass:", "", *(alarms or ["- nothing"])]
    lines += ["", "Where torch's formula is wrong:", "", *(f"- {one}" for one in TORCHS)]
    lines += ["", "Where no arithmetic can tell, or torch's own check fails as well:", "", *(f"- {one}" for one in UNTOLD)]
    chosen = [row for row in found if row["kind"] == "wrong"]
    if chosen:
        lines += [
            "",
            "## Wrong gradients",
            "",
            "| what is wrong | operators | failed | passed | inconclusive | crashed |",
            "|---|---|---|---|---|---|",
        ]
        by_name: dict[str, list[tuple[str, str]]] = {}
        for row in chosen:
            for record in row["records"]:
                if "wrong" in record:
                    by_name.setdefault(record["wrong"], []).append((row["op"], record["status"]))
        for name, answers in by_name.items():
            counts = Counter(status for _, status in answers)
            numbers = " | ".join(str(counts.get(status, 0)) for status in ("failed", "passed", "inconclusive", "crashed"))
            lines.append(f"| {name} | {len({op for op, _ in answers})} | {numbers} |")
        missed = [
            (record["case"], record["wrong"], record["status"])
            for row in chosen
            for record in row["records"]
            if "wrong" in record
        ]
        lines += ["", "Not failed:", ""]
        lines += [f"- {case}: {name}: {status}" for case, name, status in missed if status != "failed"] or ["- nothing"]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--part", default="0/1")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--kinds", default=",".join([*KINDS, "wrong"]))
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    parser.add_argument("--kept", type=Path, default=KEPT)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if not given.table:
        part, of = map(int, given.part.split("/"))
        run(given.kept, [int(seed) for seed in given.seeds.split(",")], given.kinds.split(","), (part, of), given.budget)
    if given.table or given.kept == KEPT:
        TABLE.write_text(table(given.kept))


if __name__ == "__main__":
    main()
