from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sympy
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autograd_check.course.draws import integers, labels, nest, normal, uniform
from autograd_check.course.spec import Layer
from autograd_check.course.symbolic.closed_form import ClosedForms, closed_forms
from autograd_check.errors import CourseError
from autograd_check.verify.tensors import leaves, map_tensors, named_leaves
from autograd_check.verify.trial import draw_cotangent
from tests import support
from tests.probes import probe

PAIRS = [name for name, source in support.sources().items() if "Layer(" in source]


def pair(oracle: Callable[..., Any], *wrt: str, hyper: Any = None, **primals: Any) -> Layer:
    return Layer("toy", wrt or tuple(primals), oracle, (probe("p", hyper=hyper, **primals),))


def numeric(forms: ClosedForms, most: int) -> dict[str, tuple[float, float]]:
    """The formulas of entries evaluated at the tiny point, beside torch.autograd of the oracle there.

    Every entry of an array of at most `most`; of a larger one the first, the last and the largest.
    """
    task, point = forms.task, forms.point
    primals = {
        name: map_tensors(lambda t: t.clone().requires_grad_(t.is_floating_point()), value)
        for name, value in point.primals.items()
    }
    out = task.oracle(*primals.values(), **point.hyper)
    dout = draw_cotangent(out, Generator().manual_seed(3))
    wanted = {
        path: leaf for name in task.wrt for path, leaf in named_leaves(primals[name], f"d{name}", task.leaves.get(name, ()))
    }
    grads = torch.autograd.grad(leaves(out), list(wanted.values()), leaves(dout), allow_unused=True)
    expected = {
        path: torch.zeros_like(leaf) if grad is None else grad for (path, leaf), grad in zip(wanted.items(), grads, strict=True)
    }
    numbers = {str(symbol): number for symbol, number in _symbol_values(forms, primals).items()}
    numbers |= {
        str(symbol): number
        for symbol, number in zip(
            forms.cotangents, [entry for leaf in leaves(dout) for entry in leaf.reshape(-1).tolist()], strict=True
        )
    }
    found = {}
    for path, grad in expected.items():
        pairs = list(zip(_indices(grad), grad.reshape(-1).tolist(), strict=True))
        # a formula of a whole block of layers takes sympy a second
        few = (pairs[0], pairs[-1], max(pairs, key=lambda pair: abs(pair[1])))
        for index, entry in pairs if len(pairs) <= most else few:
            name = f"{path}[{','.join(map(str, index))}]" if index else path
            # the text that a person reads, parsed back: what is tested is what is printed
            got = sympy.sympify(forms.formula(name), locals={key: sympy.Float(number, 30) for key, number in numbers.items()})
            found[name] = (float(got), entry)
    return found


def _symbol_values(forms: ClosedForms, primals: dict[str, Any]) -> dict[Any, float]:
    return {
        symbol: number
        for path, array in forms.all_symbols.items()
        for symbol, number in zip(array.reshape(-1), _leaf(forms.task, primals, path).reshape(-1).tolist(), strict=True)
    }


def _leaf(task: Layer, primals: dict[str, Any], path: str) -> Tensor:
    for name, value in primals.items():
        for found, leaf in named_leaves(value, f"d{name}", task.leaves.get(name, ())):
            if found == path:
                return leaf
    raise KeyError(path)


def _indices(tensor: Tensor) -> list[tuple[int, ...]]:
    return [tuple(index) for index in torch.ones(tensor.shape).nonzero().tolist()] if tensor.dim() else [()]


FEW, MOST = 4, 9


def assert_right(forms: ClosedForms, most: int = MOST) -> None:
    found = numeric(forms, most)
    assert set(found) <= set(forms.entries)
    for name, (got, expected) in found.items():
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-12), name
    assert any(expected != 0 for _, expected in found.values())


@pytest.mark.parametrize("name", PAIRS)
def test_every_closed_form_of_the_course_equals_autograd(name: str) -> None:
    pairs = [task for task in support.lesson(name).spec.tasks if isinstance(task, Layer)]
    assert pairs
    for task in pairs:
        assert_right(closed_forms(task), FEW)


@pytest.mark.long
@pytest.mark.parametrize("name", PAIRS)
def test_every_closed_form_of_the_course_equals_autograd_in_more_entries(name: str) -> None:
    for task in support.lesson(name).spec.tasks:
        if isinstance(task, Layer):
            assert_right(closed_forms(task))


def test_the_linear_layer_reads_as_in_a_textbook() -> None:
    task = support.lesson("linear").spec.tasks[0]
    assert isinstance(task, Layer)
    forms = closed_forms(task)
    assert forms.formula("dw[0,1]") == "x00*g01 + x10*g11"
    assert forms.formula("dw[0, 1]") == "x00*g01 + x10*g11"
    assert forms.formula("dx[1,0]") == "w00*g10 + w01*g11"
    assert forms.formula("db[1]") == "g01 + g11"


def test_a_branch_is_stated() -> None:
    forms = closed_forms(pair(torch.relu, x=lambda generator: torch.tensor([-1.0, 2.0], dtype=torch.float64)))
    assert forms.assumptions == ("x0 < 0", "x1 > 0")
    assert (forms.formula("dx[0]"), forms.formula("dx[1]")) == ("0", "g1")


def test_an_entry_that_is_not_there_is_answered_with_the_gradients() -> None:
    forms = closed_forms(pair(lambda x, b: x * b, x=normal().of(3, 4), b=normal().of()))
    assert forms.formula("db") == "x00*g00 + x01*g01 + x10*g10 + x11*g11"
    for entry in ("dw[0,0]", "dx[2,0]", "dx", "dx[0]", "nonsense"):
        with pytest.raises(CourseError, match=r"toy has no gradient entry .* The gradients are: dx \(2, 2\), db \(\)"):
            forms.formula(entry)


def test_parameters_of_a_network_have_names_of_their_own() -> None:
    task = Layer("toy", ("params",), lambda params: params[0][0] * params[1][0], (), leaves={"params": ("w", "b")})
    sample = nest((normal().of(2), normal().of(2)), (normal().of(2), normal().of(2))).of()
    forms = closed_forms(Layer("toy", ("params",), task.oracle, (probe("p", params=sample),), leaves=task.leaves))
    assert forms.formula("dparams[0].w[1]") == "w1_1*g1"
    assert forms.formula("dparams[1].b[0]") == "0"


def test_an_unknown_operation_is_named() -> None:
    with pytest.raises(CourseError, match="derive cannot run toy: sympy is not taught the operation lgamma"):
        closed_forms(pair(torch.lgamma, x=normal().of(2)))


def test_an_oracle_that_runs_at_no_size_says_so() -> None:
    def picky(x: Tensor) -> Tensor:
        raise ValueError("never")

    with pytest.raises(CourseError, match="The oracle of toy runs at no size from 2 to 4: never"):
        closed_forms(pair(picky, x=normal().of(2)))


X = {"x": normal().of(3, 4)}
POSITIVE = {"x": uniform(low=0.5, high=2.0).of(2, 2)}
IMAGE = {"x": normal().of(2, 2, 4, 4)}
OPERATIONS = {
    "add-alpha": pair(lambda x, y: torch.add(x, y, alpha=2), x=normal().of(2, 2), y=normal().of(2, 2)),
    "sub-div": pair(lambda x, y: (1 - x) / y, x=normal().of(2, 2), y=uniform(low=1, high=2).of(2, 2)),
    "pow": pair(lambda x: x**3 + x**-1 + x**0.5, **POSITIVE),
    "tensor-pow": pair(lambda x, y: x**y, x=uniform(low=1, high=2).of(2), y=normal().of(2)),
    "exp-log": pair(lambda x: torch.exp(x) + torch.log(x) + torch.log1p(x) + torch.expm1(x), **POSITIVE),
    "roots": pair(lambda x: torch.sqrt(x) + torch.rsqrt(x) + torch.reciprocal(x) + torch.square(x), **POSITIVE),
    "waves": pair(lambda x: torch.sin(x) * torch.cos(x) + torch.tanh(x) + torch.erf(x), **X),
    "sigmoids": pair(lambda x: torch.sigmoid(x) + F.logsigmoid(x) + F.silu(x) + F.softplus(x), **X),
    "gelus": pair(lambda x: F.gelu(x) + F.gelu(x, approximate="tanh"), **X),
    "kinks": pair(lambda x: F.leaky_relu(x, 0.1) + F.elu(x) + x.abs() + x.clamp(-0.5, 0.5), **X),
    "extremes": pair(lambda x, y: torch.maximum(x, y) + 2 * torch.minimum(x, y), x=normal().of(2, 2), y=normal().of(2, 2)),
    "where": pair(lambda x: torch.where(x > 0, x**2, -x).masked_fill(x > 1, 3.0), **X),
    "sums": pair(lambda x: x.sum(0) * x.mean(1).sum() + x.sum() + x.cumsum(1).sum(), **X),
    "variance": pair(lambda x: x.var(0) + x.var(1, unbiased=False).sum() + x.std(0), **X),
    "matmul": pair(lambda x, y: x @ y, x=normal().of(2, 3, 4), y=normal().of(2, 4, 5)),
    "vectors": pair(lambda x, y: x @ y + torch.dot(y, y), x=normal().of(2, 3), y=normal().of(3)),
    "einsum": pair(lambda x, y: torch.einsum("ij,kj->ik", x, y), x=normal().of(2, 3), y=normal().of(4, 3)),
    "addmm": pair(
        lambda b, x, y: torch.addmm(b, x, y, beta=2, alpha=3), b=normal().of(2), x=normal().of(2, 2), y=normal().of(2, 2)
    ),
    "max": pair(lambda x: x.max(1).values + x.amax(1) + x.min(1).values + x.max(), **X),
    "views": pair(lambda x: x.T.reshape(-1)[1:].flip(0) * x.expand(2, 2, 2)[0].permute(1, 0).flatten()[:3], **X),
    "assembly": pair(lambda x: torch.cat([x, torch.stack([x[0], x[1]])]).repeat(2, 1), **X),
    "in-place": pair(lambda x: _assembled(x), **X),
    "indices": pair(lambda x: x[torch.tensor([1, 0, 1])] + x.index_select(0, torch.tensor([0, 0, 1])), **X),
    "gather": pair(lambda x: x.gather(1, torch.tensor([[0, 0], [1, 0]])), **X),
    "scatter": pair(lambda x: torch.zeros_like(x).scatter_add(1, torch.tensor([[0, 0], [1, 0]]), x), **X),
    "index-add": pair(lambda x: torch.zeros(2, 2, dtype=x.dtype).index_add(1, torch.tensor([1, 1]), x), **X),
    "embedding": pair(lambda i, w: F.embedding(i, w), "w", i=integers(high=5).of(3), w=normal().of(5, 2)),
    "softmax": pair(lambda x: torch.softmax(x, -1) + torch.log_softmax(x, 0), **X),
    "logsumexp": pair(lambda x: torch.logsumexp(x, -1), **X),
    "cross-entropy": pair(lambda x, y: F.cross_entropy(x, y), "x", x=normal().of(3, 4), y=integers(high=4).of(3)),
    "mse": pair(lambda x, y: F.mse_loss(x, y) + F.l1_loss(x, y), x=normal().of(2, 2), y=normal().of(2, 2)),
    "huber": pair(lambda x, y: F.huber_loss(x, y, delta=0.7), x=normal().of(2, 2), y=normal().of(2, 2)),
    "kl": pair(lambda x, q: F.kl_div(x, q, reduction="batchmean"), "x", x=normal().of(2, 2), q=uniform(low=0.1).of(2, 2)),
    "bce": pair(lambda p, y: F.binary_cross_entropy(p, y), "p", p=uniform(low=0.1, high=0.9).of(2, 1), y=labels().of(2, 1)),
    "logits": pair(lambda z, y: F.binary_cross_entropy_with_logits(z, y), "z", z=normal().of(2, 1), y=labels().of(2, 1)),
    "conv2d": pair(lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1), **IMAGE, w=normal().of(3, 2, 3, 3), b=normal().of(3)),
    "conv1d": pair(lambda x, w: F.conv1d(x, w, dilation=1, padding=1), x=normal().of(1, 2, 4), w=normal().of(2, 2, 3)),
    "depthwise": pair(lambda x, w: F.conv2d(x, w, groups=2), **IMAGE, w=normal().of(2, 1, 2, 2)),
    "transposed": pair(lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1), **IMAGE, w=normal().of(2, 2, 2, 2)),
    "max-pool": pair(lambda x: F.max_pool2d(x, 2, 1), **IMAGE),
    "avg-pool": pair(lambda x: F.avg_pool2d(x, 2, 1) + F.adaptive_avg_pool2d(x, 1), **IMAGE),
    "layer-norm": pair(
        lambda x, g, b: F.layer_norm(x, (2,), g, b, 1e-5), x=normal().of(2, 2), g=normal().of(2), b=normal().of(2)
    ),
    "batch-norm": pair(
        lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True), x=normal().of(2, 2), g=normal().of(2), b=normal().of(2)
    ),
    "group-norm": pair(lambda x, g, b: F.group_norm(x, 1, g, b), x=normal().of(2, 2, 2), g=normal().of(2), b=normal().of(2)),
    "upsample": pair(lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), **IMAGE),
    "unfold": pair(lambda x: F.unfold(x, 2), **IMAGE),
    "attention": pair(F.scaled_dot_product_attention, q=normal().of(2, 2), k=normal().of(2, 2), v=normal().of(2, 2)),
    "hyper": pair(lambda x, *, slope: F.leaky_relu(x, slope), hyper={"slope": 0.25}, **X),
    "several-outputs": pair(lambda x: (x * 2, x.exp()), **X),
}


def _assembled(x: Tensor) -> Tensor:
    out = torch.zeros_like(x)
    out[0] = x[1] * 2
    out[1] += x[0].exp()
    out[:, 1] *= x[0, 0]
    out[x > 0] += 1.0
    return out.mul_(3)


@pytest.mark.parametrize("task", [pytest.param(task, id=name) for name, task in OPERATIONS.items()])
def test_a_formula_equals_autograd(task: Layer) -> None:
    assert_right(closed_forms(task))
