"""What a dispatch mode that only looks on must leave as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from autograd_check.dispatch_mode import HIDDEN_KEYS, Watching
from autograd_check.verify.precision import RandomRounding
from autograd_check.verify.tolerances import COARSE


class Looks(Watching):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        self.seen.append(str(func))


def square(seed: int = 0) -> Tensor:
    return torch.randn(5, 5, generator=Generator().manual_seed(seed), dtype=torch.complex128)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "made of conjugates inside": torch.linalg.pinv,
    "of a conjugate": lambda x: torch.linalg.pinv(x.conj()).conj(),
    "of a negative": lambda x: torch.linalg.pinv(x.conj().imag.sin()),
    "of an adjoint": lambda x: torch.linalg.solve(x.mH, x).mH,
}


def value_and_gradient(function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    x = square().requires_grad_()
    out = function(x)
    (grad,) = torch.autograd.grad(out, x, torch.full_like(out, 0.5))
    return out.detach().resolve_conj(), grad.resolve_conj()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex_functions_give_the_same_to_the_bit(name: str) -> None:
    alone = value_and_gradient(FUNCTIONS[name])
    with Looks() as looks:
        watched = value_and_gradient(FUNCTIONS[name])
    assert any("linalg" in func for func in looks.seen)
    assert all(map(torch.equal, alone, watched))


@pytest.mark.parametrize("raises", [False, True])
def test_hidden_keys_are_at_work_for_the_operation_and_hidden_again_after_it(raises: bool) -> None:
    states: dict[str, list[bool]] = {}

    def excluded() -> list[bool]:
        return [torch._C._dispatch_tls_is_dispatch_key_excluded(key) for key in HIDDEN_KEYS]

    class Notes(Looks):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            states["before"] = excluded()
            try:
                return super().__torch_dispatch__(func, types, args, kwargs)
            finally:
                states["behind"] = excluded()

        def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
            states["within"] = excluded()
            if raises:
                raise RuntimeError("not this one")

    with pytest.raises(RuntimeError, match="not this one") if raises else nullcontext(), Notes():
        torch.linalg.pinv(square())
    assert states == {"before": [True] * 3, "within": [False] * 3, "behind": [True] * 3}


def test_rounding_moves_a_complex_pseudo_inverse_by_a_few_units() -> None:
    exact = torch.linalg.pinv(square())
    with RandomRounding(Generator().manual_seed(0)):
        rounded = torch.linalg.pinv(square())
    assert 0 < float((rounded - exact).abs().max()) < 100 * COARSE * float(exact.abs().max())
