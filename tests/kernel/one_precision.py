"""Kernels of one precision, simulated by Functions that refuse any other dtype: each right, and wrong in the ways kernels are."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

Grads = tuple[Tensor | None, ...]
Pass = Callable[..., Any]


@dataclass(frozen=True)
class Simulated:
    """A kernel: `forward(*inputs)`, `backward(inputs, dout)` in the kernel's way, and the definition."""

    forward: Pass
    backward: Callable[[tuple[Any, ...], Tensor], Grads]
    definition: Pass
    shapes: tuple[tuple[int, ...], ...]
    others: Callable[[Generator], tuple[Any, ...]] = lambda g: ()

    def inputs(self, dtype: torch.dtype, seed: int) -> tuple[Any, ...]:
        generator = Generator().manual_seed(seed)
        drawn = [
            torch.randn(shape, generator=generator, dtype=torch.float32, device="cpu").to(dtype).requires_grad_()
            for shape in self.shapes
        ]
        return (*drawn, *self.others(generator))

    def function(self, dtype: torch.dtype, spoil: Callable[[Grads], Grads] = lambda grads: grads) -> Callable[..., Any]:
        """The kernel as a Function that takes `dtype` and nothing else; `spoil` makes its gradients wrong."""
        kernel = self

        class Kernel(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *inputs: Any) -> Any:
                for x in inputs:
                    if isinstance(x, Tensor) and x.is_floating_point() and x.dtype is not dtype:
                        raise RuntimeError(f"kernel supports {dtype} only")
                ctx.save_for_backward(*[x for x in inputs if isinstance(x, Tensor)])
                ctx.rest = [x for x in inputs if not isinstance(x, Tensor)]
                return kernel.forward(*inputs)

            @staticmethod
            def backward(ctx: Any, *douts: Any) -> Any:
                inputs = (*ctx.saved_tensors, *ctx.rest)
                grads = spoil(kernel.backward(inputs, douts[0]))
                return (*grads, *[None] * (len(inputs) - len(grads)))

        apply: Callable[..., Any] = Kernel.apply
        return apply


def in_blocks(a: Tensor, b: Tensor, block: int = 16) -> Tensor:
    """a @ b, with the inner axis in blocks that add up in float32."""
    total = torch.zeros(*a.shape[:-1], b.shape[-1], dtype=torch.float32)
    for start in range(0, a.shape[-1], block):
        total += a[..., start : start + block].float() @ b[..., start : start + block, :].float()
    return total.to(a.dtype)


def matmul_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    a, b = inputs
    return in_blocks(dout, b.mT), in_blocks(a.mT, dout)


def normalised(x: Tensor) -> tuple[Tensor, Tensor]:
    wide = x.float()
    spread = (wide.var(-1, keepdim=True, unbiased=False) + 1e-5).rsqrt()
    return (wide - wide.mean(-1, keepdim=True)) * spread, spread


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    return (normalised(x)[0] * gamma.float() + beta.float()).to(x.dtype)


def layer_norm_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    x, gamma, _ = inputs
    (n, spread), d = normalised(x), dout.float()
    dn = d * gamma.float()
    dx = spread * (dn - dn.mean(-1, keepdim=True) - n * (dn * n).mean(-1, keepdim=True))
    return dx.to(x.dtype), (d * n).sum(0).to(x.dtype), d.sum(0).to(x.dtype)


def softmax(x: Tensor) -> Tensor:
    return x.float().softmax(-1).to(x.dtype)


def softmax_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    p, d = inputs[0].float().softmax(-1), dout.float()
    return ((p * (d - (d * p).sum(-1, keepdim=True))).to(inputs[0].dtype),)


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """In blocks of keys, with the running maximum of each row."""
    scale, block = q.shape[-1] ** -0.5, 8
    most = torch.full((*q.shape[:-1], 1), -math.inf)
    total, out = torch.zeros(*q.shape[:-1], 1), torch.zeros(*q.shape[:-1], v.shape[-1])
    for start in range(0, k.shape[-2], block):
        scores = q.float() @ k[..., start : start + block, :].float().mT * scale
        higher = torch.maximum(most, scores.amax(-1, keepdim=True))
        part, old = (scores - higher).exp(), (most - higher).exp()
        total = total * old + part.sum(-1, keepdim=True)
        out = out * old + part.to(q.dtype).float() @ v[..., start : start + block, :].float()
        most = higher
    return (out / total).to(q.dtype)


def attention_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    q, k, v = (x.float() for x in inputs)
    scale, d = q.shape[-1] ** -0.5, dout.float()
    p = (q @ k.mT * scale).softmax(-1)
    dp = d @ v.mT
    ds = p * (dp - (dp * p).sum(-1, keepdim=True)) * scale
    return tuple(g.to(inputs[0].dtype) for g in (ds @ k, ds.mT @ q, p.mT @ d))


def angles(x: Tensor) -> tuple[Tensor, Tensor]:
    rate = 10000.0 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
    turn = torch.arange(x.shape[-2])[:, None] * rate
    return turn.cos().to(x.dtype), turn.sin().to(x.dtype)


def turned(x: Tensor, sign: int) -> Tensor:
    (cos, sin), (one, two) = angles(x), (x[..., ::2], x[..., 1::2])
    return torch.stack([one * cos - sign * two * sin, sign * one * sin + two * cos], -1).flatten(-2)


def rotary_definition(x: Tensor) -> Tensor:
    rate = 10000.0 ** (-torch.arange(0, x.shape[-1], 2, dtype=torch.float64) / x.shape[-1])
    turn = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * rate
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous()) * torch.polar(torch.ones_like(turn), turn)
    return torch.view_as_real(pairs).flatten(-2)


def swiglu(a: Tensor, b: Tensor) -> Tensor:
    return (torch.nn.functional.silu(a.float()) * b.float()).to(a.dtype)


def swiglu_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    a, b, d = inputs[0].float(), inputs[1].float(), dout.float()
    s = a.sigmoid()
    return (d * b * s * (1 + a * (1 - s))).to(dout.dtype), (d * a * s).to(dout.dtype)


def cross_entropy(x: Tensor, target: Tensor) -> Tensor:
    wide = x.float()
    return (wide.logsumexp(-1) - wide.gather(-1, target[:, None])[:, 0]).mean().to(x.dtype)


def cross_entropy_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    x, target = inputs
    p = x.float().softmax(-1)
    p[torch.arange(len(x)), target] -= 1
    return ((p / len(x) * dout.float()).to(x.dtype),)


def mask(x: Tensor, seed: int) -> Tensor:
    return (torch.rand(x.shape, generator=Generator().manual_seed(seed)) < 0.75).to(x.dtype) / 0.75


def gathered(x: Tensor, index: Tensor) -> Tensor:
    return x[index]


def scattered_backward(inputs: tuple[Any, ...], dout: Tensor) -> Grads:
    x, index = inputs
    return (torch.zeros(x.shape).index_add_(0, index, dout.float()).to(x.dtype),)


KERNELS: dict[str, Simulated] = {
    "matmul in blocks": Simulated(in_blocks, matmul_backward, torch.matmul, ((12, 40), (40, 10))),
    "layer norm": Simulated(
        layer_norm,
        layer_norm_backward,
        lambda x, g, b: torch.nn.functional.layer_norm(x, x.shape[-1:], g, b),
        ((8, 32), (32,), (32,)),
    ),
    "softmax": Simulated(softmax, softmax_backward, lambda x: x.softmax(-1), ((8, 24),)),
    "attention in blocks": Simulated(
        attention,
        attention_backward,
        torch.nn.functional.scaled_dot_product_attention,
        ((2, 12, 8), (2, 20, 8), (2, 20, 8)),
    ),
    "rotary": Simulated(lambda x: turned(x, 1), lambda inputs, dout: (turned(dout, -1),), rotary_definition, ((2, 12, 8),)),
    "swiglu": Simulated(swiglu, swiglu_backward, lambda a, b: torch.nn.functional.silu(a) * b, ((8, 20), (8, 20))),
    "cross-entropy": Simulated(
        cross_entropy,
        cross_entropy_backward,
        torch.nn.functional.cross_entropy,
        ((12, 10),),
        lambda g: (torch.randint(0, 10, (12,), generator=g),),
    ),
    "dropout": Simulated(
        lambda x, seed: x * mask(x, seed),
        lambda inputs, dout: (dout * mask(inputs[0], inputs[1]),),
        lambda x, seed: x * mask(x, seed),
        ((12, 16),),
        lambda g: (7,),
    ),
    "gather": Simulated(
        gathered, scattered_backward, lambda x, index: x[index], ((9, 12),), lambda g: (torch.randint(0, 9, (20,), generator=g),)
    ),
    "cumulative sum": Simulated(
        lambda x: x.float().cumsum(-1).to(x.dtype),
        lambda inputs, dout: (dout.float().flip(-1).cumsum(-1).flip(-1).to(dout.dtype),),
        lambda x: x.cumsum(-1),
        ((6, 32),),
    ),
}


# --- Wrong in the ways kernels are -----------------------------------------------------------------------------------


def _changed(change: Callable[[Tensor], Tensor]) -> Callable[[Grads], Grads]:
    def spoil(grads: Grads) -> Grads:
        first = grads[0]
        return grads if first is None else (change(first.clone()), *grads[1:])

    return spoil


def _entry(g: Tensor) -> Tensor:
    place = int(g.abs().argmax())
    g.view(-1)[place] *= -1
    return g


def _last_block(g: Tensor) -> Tensor:
    g[..., -4:] = 0
    return g


def _border(g: Tensor) -> Tensor:
    g[..., -1] += g.abs().max()
    return g


def _unscaled(g: Tensor) -> Tensor:
    return g * 8**0.5


def _unreduced(g: Tensor) -> Tensor:
    return g / g.shape[0]


WRONG: dict[str, Callable[[Grads], Grads]] = {
    "a wrong entry": _changed(_entry),
    "the last block": _changed(_last_block),
    "a missing scale": _changed(_unscaled),
    "a missing reduction": _changed(_unreduced),
    "the mask at the border": _changed(_border),
    "a tenth": _changed(lambda g: g * 1.1),
}
