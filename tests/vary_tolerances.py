"""What becomes of verdicts when one number of `verify/tolerances.py` is another: a quarter, half, twice, four times.

    python tests/vary_tolerances.py HUM SAFETY     these numbers; about half a minute each

Looked at are hard right functions, single wrong entries, and errors that depend on the cotangent.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is there

import autograd_check as ac
from autograd_check import verify
from autograd_check.verify import tolerances
from tests.verify import families
from tests.verify.cotangent_errors import SPOILS
from tests.verify.spoiling import spoiler
from tests.verify.test_cotangent_errors import checked

FACTORS = (0.25, 0.5, 2.0, 4.0)


def verdicts() -> Iterator[tuple[str, str]]:
    """The status of every check by name."""
    for name in families.FAMILIES:
        for seed in (0, 1):
            fn, inputs = families.draw(name, seed)
            yield f"right: {name}, seed {seed}", str(ac.gradcheck(fn, inputs, raise_exception=False, seed=seed).status)
    generator = torch.Generator().manual_seed(0)
    for count in (40, 4000):
        for size in (1e-3, 1e-5, 1e-7):
            x = torch.randn(count, generator=generator, dtype=torch.float64, requires_grad=True)
            spoil = spoiler([count // 3], size)
            report = ac.gradcheck(lambda x, spoil=spoil: torch.tanh(spoil(x)), x, raise_exception=False)
            yield f"wrong: one of {count} entries by {size:g}", str(report.status)
    for name in list(SPOILS)[::2]:
        for layer in ("square", "softmax"):
            for number, (_, report, _) in enumerate(checked(layer, SPOILS[name], counts=(10,), sizes=(1e-4,))):
                yield f"wrong: {name} of {layer}, {number}", str(report.status)


def users(name: str) -> list[ModuleType]:
    """The modules of verify that have the number under its name."""
    modules = [importlib.import_module(f"{verify.__name__}.{found.name}") for found in pkgutil.iter_modules(verify.__path__)]
    return [module for module in modules if name in vars(module)]


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    known = dict(verdicts())
    print("as they are:", dict(Counter(known.values())), flush=True)
    for name in names:
        value: Any = getattr(tolerances, name)
        for factor in FACTORS:
            changed = tuple(part * factor for part in value) if isinstance(value, tuple) else value * factor
            for module in users(name):
                setattr(module, name, changed)
            found = dict(verdicts())
            for module in users(name):
                setattr(module, name, value)
            others = [f"{key}: {known[key]} -> {found[key]}" for key in known if found[key] != known[key]]
            print(f"{name} x {factor:g}:", "; ".join(others) or "the same", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
