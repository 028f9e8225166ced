"""The gradient checkers of torch, JAX and HIPS autograd, called on one function of torch.

JAX and HIPS autograd see the function as a primitive of theirs whose values and vjp torch computes; everything else, from the
random directions to the tolerance, is their own. They are installed by the extra `peers`; those that are not are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[Any]
Function = Callable[..., Any]
Peer = Callable[[Function, Sequence[Any], int], None]
"""Checks a function at inputs with a seed; raises an `AssertionError` with a message where it holds the gradient to be wrong."""

INSTALL = ".venv/bin/python -m pip install --constraint constraints.txt --editable '.[peers]'"


class Answer(StrEnum):
    """What a checker says of a gradient; `CANNOT` where it ends in any other error, be it the dtype or the shape."""

    RIGHT = "right"
    WRONG = "wrong"
    CANNOT = "cannot"


@dataclass(frozen=True)
class ArrayFunction:
    """A function of torch with one output, as NumPy sees it: its arguments are the inputs that require grad."""

    fn: Function
    inputs: tuple[Any, ...]

    @property
    def primals(self) -> tuple[Array, ...]:
        """The inputs that require grad."""
        return tuple(x.detach().numpy() for x in self.inputs if _moves(x))

    def __call__(self, *primals: Array) -> Array:
        """The output, an array of any shape."""
        return self._output(primals)[0].detach().numpy()

    def vjp(self, primals: Sequence[Array], cotangent: Array) -> tuple[Array, ...]:
        """The gradient of every primal, in its shape and dtype.

        JAX and HIPS autograd pull a complex cotangent back without the conjugation of torch: hence one before and one after.
        """
        out, moving = self._output(primals)
        grads = torch.autograd.grad(out, moving, _tensor(cotangent).conj())
        return tuple(grad.conj().resolve_conj().numpy() for grad in grads)

    def _output(self, primals: Sequence[Array]) -> tuple[Tensor, list[Tensor]]:
        moving = [_tensor(primal).requires_grad_() for primal in primals]
        rest = iter(moving)
        return self.fn(*(next(rest) if _moves(x) else x for x in self.inputs)), moving


def torch_peer(fn: Function, inputs: Sequence[Any], seed: int) -> None:
    """`torch.autograd.gradcheck` as it is: every entry, step 1e-6, tolerance 1e-5 + 1e-3 |value|."""
    torch.manual_seed(seed)
    if not torch.autograd.gradcheck(fn, inputs, raise_exception=False):
        raise AssertionError("torch.autograd.gradcheck gave False")


def jax_peer(fn: Function, inputs: Sequence[Any], seed: int) -> None:
    """`jax.test_util.check_grads` in reverse mode: one direction, always the same; step 1e-4, tolerance 1e-5 (float32: 2e-3)."""
    import jax
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)
    torch.manual_seed(seed)
    function = ArrayFunction(fn, tuple(inputs))
    primals = function.primals
    shapes = tuple(jax.ShapeDtypeStruct(primal.shape, primal.dtype) for primal in primals)
    out = function(*primals)
    shape = jax.ShapeDtypeStruct(out.shape, out.dtype)
    primitive = jax.custom_vjp(lambda *xs: jax.pure_callback(function, shape, *xs))
    primitive.defvjp(lambda *xs: (primitive(*xs), xs), lambda xs, dout: jax.pure_callback(function.vjp, shapes, xs, dout))
    check_grads(primitive, primals, order=1, modes=("rev",))


def hips_peer(fn: Function, inputs: Sequence[Any], seed: int) -> None:
    """`autograd.test_util.check_grads` in reverse mode: one random direction, step 1e-6, tolerance 1e-6."""
    from autograd.extend import defvjp_argnums, primitive
    from autograd.test_util import check_grads

    np.random.seed(seed)  # it draws from NumPy's global generator
    torch.manual_seed(seed)
    function = ArrayFunction(fn, tuple(inputs))
    wrapped = primitive(lambda *xs: function(*xs))
    defvjp_argnums(wrapped, lambda argnums, out, xs, _: lambda dout: [function.vjp(xs, dout)[n] for n in argnums])
    check_grads(wrapped, tuple(range(len(function.primals))), modes=["rev"], order=1)(*function.primals)


PEERS: dict[str, tuple[str, Peer]] = {"torch": ("torch", torch_peer), "JAX": ("jax", jax_peer), "HIPS": ("autograd", hips_peer)}
"""By the name of the column: the package to import, and the call of its checker."""


def installed() -> dict[str, Peer]:
    """The checkers whose package is there."""
    return {name: peer for name, (package, peer) in PEERS.items() if find_spec(package)}


def ask(peer: Peer, fn: Function, inputs: Sequence[Any], seed: int = 0) -> Answer:
    """What a checker says; its warnings are its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            peer(fn, inputs, seed)
        except AssertionError as error:
            # without a message it is an assertion about shapes and dtypes inside the checker
            return Answer.WRONG if str(error) else Answer.CANNOT
        except Exception:  # whatever it is, the checker gave no answer
            return Answer.CANNOT
    return Answer.RIGHT


def _moves(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _tensor(array: Array) -> Tensor:
    return torch.from_numpy(np.array(array))
