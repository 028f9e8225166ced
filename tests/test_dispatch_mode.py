"""What a dispatch mode that only looks on must leave as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.autograd import forward_ad

from autograd_check.dispatch_mode import BITS, Watching
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


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_symbolic_zeros_of_forward_mode_go_through() -> None:
    with Looks(), forward_ad.dual_level():
        x = forward_ad.make_dual(square(), torch._efficientzerotensor((5, 5), dtype=torch.complex128))
        tangent = forward_ad.unpack_dual(torch.sgn(x) * 2)[1]
    assert tangent is None or not bool((tangent + 0).any())


def test_what_torch_hides_in_a_mode_is_hidden_again_after_an_error() -> None:
    class Raises(Looks):
        def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
            raise RuntimeError("not this one")

    before = [torch._C._dispatch_tls_is_dispatch_key_excluded(key) for key in BITS]
    with pytest.raises(RuntimeError, match="not this one"), Raises():
        torch.linalg.pinv(square())
    assert [torch._C._dispatch_tls_is_dispatch_key_excluded(key) for key in BITS] == before


def test_rounding_moves_a_complex_pseudo_inverse_by_a_few_units() -> None:
    exact = torch.linalg.pinv(square())
    with RandomRounding(Generator().manual_seed(0)):
        rounded = torch.linalg.pinv(square())
    assert 0 < float((rounded - exact).abs().max()) < 100 * COARSE * float(exact.abs().max())
