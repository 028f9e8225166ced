"""Tasks as lessons write them: the probes that follow from words, and sentences for words that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from autograd_check.causes import Cause
from autograd_check.course import (
    ELEMENTWISE,
    PAIRS,
    ROWS,
    SMOOTH,
    WINDOWS,
    Layer,
    Lesson,
    Stateful,
    Stochastic,
    UpdateRule,
    at,
    columns,
    convention,
    edge,
    labels,
    layers,
    mismatched,
    nest,
    network,
    normal,
    reach,
    refused,
    rival,
    run,
    shaped,
    stability,
    standard,
    transposed,
)
from autograd_check.course.spec import Probe
from autograd_check.errors import CourseError


def shapes(probe: Probe) -> list[tuple[int, ...]]:
    """The shapes of the primals of a probe; a nest has those of its tensors in a row."""
    drawn = [sample(Generator().manual_seed(0)) for sample in probe.primals.values()]
    return [tuple(t.shape) for value in drawn for t in (flat(value) if not isinstance(value, Tensor) else [value])]


def flat(value: Any) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [t for part in value for t in flat(part)]


def linear(*probes: Any, **more: Any) -> layers.Layer:
    given: dict[str, Any] = {"sizes": {"N": 4, "D": 3, "M": 5}, **more}
    return Layer("x[N,D] w[D,M] b[M] -> out[N,M]", oracle=lambda x, w, b: F.linear(x, w.T, b), probes=probes, **given)


def test_every_layer_has_four_probes() -> None:
    task = linear()
    assert [(probe.name, shapes(probe)) for probe in task.probes] == [
        ("N=4, D=3, M=5", [(4, 3), (3, 5), (5,)]),
        ("batch of one", [(1, 3), (3, 5), (5,)]),
        ("D = M = 1", [(4, 1), (1, 1), (1,)]),
        ("all sizes 4", [(4, 4), (4, 4), (4,)]),
    ]
    assert task.wrt == ("x", "w", "b")


def test_what_the_oracle_refuses_or_the_lesson_does_is_not_made() -> None:
    def oracle(x: Tensor, gamma: Tensor, beta: Tensor, *, eps: float = 1e-5) -> Tensor:
        return F.batch_norm(x, None, None, gamma, beta, training=True, eps=eps)

    def made(*probes: Any) -> list[str]:
        task = Layer("x[N,D] gamma[D] beta[D] -> out[N,D]", oracle=oracle, sizes={"N": 5, "D": 3}, probes=probes)
        return [probe.name for probe in task.probes]

    one_row = refused("one row", says="one row has no variance", mentions=(), cause=Cause.NOT_REFUSED, N=1)
    assert made() == ["N=5, D=3", "D = 1", "all sizes 5"]
    assert made(one_row) == made()
    square = refused("square", says="no", mentions=(), N=5, D=5)
    assert made(square) == ["N=5, D=3", "D = 1"]


def test_elementwise_layers_take_any_axes() -> None:
    task = Layer("x[...] -> out[...]", oracle=lambda x: x * x, sizes={"rest": (3, 4)}, probes=ELEMENTWISE)
    assert [shapes(probe) for probe in task.probes] == [[(3, 4)], [(1, 4)], [()], [(9,)], [(2, 3, 4, 2)]]
    assert [probe.name for probe in task.probes][:2] == ["shape (3, 4)", "batch of one"]


def test_smooth_functions_are_tried_around_0_and_where_they_are_flat() -> None:
    task = Layer("x[...] -> out[...]", oracle=torch.tanh, sizes={"rest": (3, 4)}, probes=SMOOTH)
    near, far = (probe.primals["x"](Generator()).abs() for probe in task.probes[-2:])
    assert float(near.min()) == 0.0
    assert float(near[near > 0].min()) == 1e-8
    assert float(torch.tanh(far.max())) == 1.0


def test_functions_of_rows_are_tried_on_any_number_of_axes_apart() -> None:
    task = Layer("x[...,K] -> out[...]", oracle=lambda x: x.amax(-1), sizes={"rest": (4,), "K": 5}, probes=ROWS)
    (axes,) = task.reaches
    assert [shapes(probe) for probe in axes.probes] == [[(5,)], [(2, 3, 5)]]
    assert [shapes(probe) for probe in task.probes[-2:]] == [[(3, 2)], [(2, 4)]]


def test_keywords_are_sizes_values_or_hyperparameters() -> None:
    def oracle(x: Tensor, w: Tensor, b: Tensor, *, stride: int = 1, padding: int = 0) -> Tensor:
        return F.conv2d(x, w, b, stride=stride, padding=padding)

    task = Layer(
        "x[N,C,H,W] w[O,C,kH,kW] b[O] -> out[N,O,H',W']",
        oracle=oracle,
        sizes={"N": 3, "C": 2, "H": 7, "W": 8, "O": 5, "kH": 4, "kW": 3},
        bench={"N": 8, "kH": 3, "padding": 1},
        probes=(*WINDOWS, at("1 × 1", kH=1, kW=1), *PAIRS, edge("b is 0", b=[0.0, 0.0])),
    )
    by_name = {probe.name: probe for probe in task.probes}
    assert by_name["stride=2, padding=2"].hyper == {"stride": 2, "padding": 2}
    assert shapes(by_name["1 × 1"])[1] == (5, 2, 1, 1)
    assert shapes(by_name["b is 0"])[1] == (2, 2, 4, 3)  # a list fixes the sizes of its axes, and the others follow
    assert "C = H = W = O = kH = kW = 1" in by_name
    (pairs,) = task.reaches
    assert pairs.name == "pairs"
    assert [probe.hyper["stride"] for probe in pairs.probes] == [(3, 1), (1, 3)]
    assert task.bench is not None
    assert shapes(task.bench)[:2] == [(8, 2, 7, 8), (5, 2, 3, 3)]
    assert task.bench.hyper == {"padding": 1}


def test_values_are_drawn_or_exact() -> None:
    spreads = columns(spread=(1e-3, 0.0, 2.0))
    task = linear(
        at("off centre", x=normal(shift=50)), edge("columns", x=spreads, N=6), edge("zeros", b=[0.0, -1.0], w=[[1, 2]] * 3)
    )
    first, second, third = (
        [sample(Generator().manual_seed(1)) for sample in probe.primals.values()] for probe in task.probes[-3:]
    )
    assert float(first[0].mean()) > 40
    assert torch.equal(second[0].std(0, unbiased=False), torch.tensor([1e-3, 0.0, 2.0], dtype=torch.float64))
    assert third[1].dtype is torch.float64
    assert third[2].tolist() == [0.0, -1.0]


def test_a_view_has_the_shape_of_the_lesson() -> None:
    task = linear(at("a view", x=transposed(normal(shift=50))), at("a strided row", b=transposed()))
    view, row = ([sample(Generator().manual_seed(1)) for sample in probe.primals.values()] for probe in task.probes[-2:])
    assert (view[0].shape, view[0].is_contiguous()) == (row[0].shape, False)
    assert float(view[0].mean()) > 40
    assert (row[2].shape, row[2].is_contiguous()) == (view[2].shape, False)


def test_integers_are_classes() -> None:
    task = Layer(
        "scores[N,C] y[N]<C -> loss[]",
        oracle=lambda scores, y: F.cross_entropy(scores, y),
        sizes={"N": 6, "C": 4},
        probes=(edge("one class", y=[2] * 7, C=3), *mismatched("y", "N,1", "1")),
    )
    assert task.wrt == ("scores",)
    drawn = [sample(Generator().manual_seed(0)) for sample in task.probes[-1].primals.values()]
    assert drawn[1].dtype is torch.int64
    assert tuple(drawn[0].shape) == (7, 3)
    assert [probe.name for probe in task.refuses] == ["scores (6, 4) against y (6, 1)", "scores (6, 4) against y (1,)"]
    assert all(probe.mentions == ("scores", "y") for probe in task.refuses)


def test_a_convention_is_judged_alone() -> None:
    task = linear(
        convention("edge", Cause.TIES, "a choice", within=1e-3, x=[[0.0, 0.0, 0.0]]), stability("large", "no inf", b=[1e9] * 5)
    )
    conventions = [probe.convention for probe in task.probes if probe.convention]
    assert [(c.cause, c.says, c.within) for c in conventions] == [
        (Cause.TIES, "a choice", 1e-3),
        (Cause.UNSTABLE, "no inf", float("inf")),
    ]


def test_refusals_mention_what_does_not_fit() -> None:
    task = linear(*mismatched("b", "N"), refused("two odd ones", x=shaped("N,7"), b=shaped("2"), mentions=("x",)))
    assert [(probe.name, probe.mentions) for probe in task.refuses] == [
        ("w (3, 5) against b (4,)", ("w", "b")),
        ("two odd ones", ("x",)),
    ]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: linear(at(paddin=1)), r"at\(paddin=1\): 'paddin' is nothing that this task has"),
        (lambda: linear(at(paddin=1)), r"sizes: N, D, M; primals: x, w, b; hyperparameters: none"),
        (lambda: linear(at(bb=1)), "did you mean b?"),
        (lambda: linear(at(x=normal(shift=3))), "say in a few words what it is"),
        (lambda: linear(edge("odd", x=[[1.0, 2.0]], D=3)), r"'odd': D is 3, and x \(1, 2\) makes it 2"),
        (lambda: linear(sizes={"N": 4, "D": 3}), "sizes= does not say how large M is"),
        (lambda: linear(sizes={"N": 4, "D": 4, "M": 5}), r"x\[N,D\] has two axes of one size"),
        (lambda: linear(sizes={"N": 2, "D": 4, "M": 5}), "The first size is 2: take 3 or more"),
        (lambda: linear(wrt=("x", "q")), "only x, w, b can have a gradient"),
        (lambda: linear(draw={"q": normal()}), r"draw=dict\(q=...\): there is only x, w, b"),
        (lambda: linear(hyper={"q": 1}), r"hyper=dict\(q=...\): there is only nothing of that kind"),
        (
            lambda: Layer("x[N] y[N] -> out[N]", oracle=lambda x, z: x, sizes={"N": 3}),
            r"The oracle takes \(x, z\) and the shapes say",
        ),
        (lambda: Layer("x[N] -> out[N]", oracle=lambda x: x @ x.T @ x[0, 0], sizes={"N": 3}), "cannot be run at the base sizes"),
        (lambda: Layer("params -> out[]", oracle=lambda params: params), r"draw=dict\(params=network"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(make: Callable[[], object], says: str) -> None:
    with pytest.raises(CourseError, match=says):
        make()


def test_one_keyword_never_means_two_things() -> None:
    with pytest.raises(CourseError, match="'N' is both a size and a hyperparameter"):
        Layer("x[N] -> out[N]", oracle=lambda x, *, N=1: x * N, sizes={"N": 3}, probes=(at(N=4),))


def test_a_lesson_names_its_tasks_and_makes_its_standard_mistakes() -> None:
    lesson = Lesson("linear", "t", (linear(),), (), "", standard("upstream ignored", "dw transposed", "db divided by N"))
    (task,) = lesson.tasks
    assert isinstance(task, layers.Layer)
    assert (task.forward, lesson.functions) == ("linear_forward", ("linear_forward", "linear_backward"))
    assert [known.cause for known in lesson.mistakes] == [Cause.IGNORES_UPSTREAM, Cause.TRANSPOSED, Cause.EXTRA_BATCH_MEAN]
    assert all("linear_backward" in known.added for known in lesson.mistakes)


RIGHT = """
def linear_forward(x, w, b):
    return x @ w + b, (x, w)
def linear_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
"""
DOUT = torch.arange(8.0).reshape(4, 2) + 1
X, W = torch.randn(4, 3, generator=Generator().manual_seed(0)), torch.ones(3, 2)


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("upstream ignored", 1, X.T @ torch.ones(4, 2)),
        ("upstream ignored in db", 2, torch.full((2,), 4.0)),
        ("db averaged", 2, DOUT.mean(0)),
        ("db summed over everything", 2, DOUT.sum().expand(2)),
        ("dw transposed", 1, (X.T @ DOUT).T),
        ("dx negated", 0, -DOUT @ W.T),
        ("dx zero", 0, torch.zeros(4, 3)),
        ("dx doubled", 0, 2 * DOUT @ W.T),
        ("db not summed", 2, DOUT),
        ("db of the last row only", 2, DOUT[-1]),
        ("dw divided by D", 1, X.T @ DOUT / 3),
    ],
)
def test_a_standard_mistake_is_what_it_says(name: str, place: int, expected: Tensor) -> None:
    (known,) = Lesson("linear", "t", (linear(),), (), "", standard(name)).mistakes
    space: dict[str, Any] = {}
    exec(f"{RIGHT}\n{known.added}", space)
    _, cache = space["linear_forward"](X, W, torch.zeros(2))
    given = space["linear_backward"](DOUT, cache)
    assert torch.allclose(given[place], expected)
    right = (DOUT @ W.T, X.T @ DOUT, DOUT.sum(0))
    others = [k for k in range(3) if k != place and name != "upstream ignored"]
    assert all(torch.equal(given[k], right[k]) for k in others)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: standard("dw turned"), r"there are \"upstream ignored\""),
        (lambda: Lesson("l", "t", (linear(),), (), "", standard("dq zero")), "no layer of this lesson gives dq"),
        (
            lambda: Lesson("l", "t", (linear(),), (), "", standard("dw divided by Q")),
            "no primal has an axis Q; there are N, D, M",
        ),
        (lambda: Lesson("l", "t", (square_loss(),), (), "", standard("dp not summed")), "out has no rows"),
    ],
)
def test_a_standard_mistake_that_cannot_be_made_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(CourseError, match=says):
        make()


def square_loss() -> layers.Layer:
    return Layer("p[N] y[N] -> loss[]", oracle=lambda p, y: F.mse_loss(p, y), sizes={"N": 4}, draw={"y": labels()}, wrt=("p",))


def test_a_step_is_followed_at_every_probe() -> None:
    rule = UpdateRule(twin=torch.optim.SGD, hyper={"momentum": 0.9}, probes=(at(lr=0.1), at(lr=0.2, momentum=0.5)), steps=7)
    assert (rule.hypers, rule.steps) == (({"lr": 0.1}, {"lr": 0.2, "momentum": 0.5}), 7)
    optimiser = rule.twin([torch.zeros(2)], lr=0.1)
    assert optimiser.defaults["momentum"] == 0.9


def test_dropout_in_words() -> None:
    task = Stochastic(
        "x[...] -> out[...]",
        oracle=lambda x: x * 1.0,
        sizes={"rest": (6, 7)},
        bulk=({"rest": (40, 50)}, {"rest": (6, 5, 10, 10)}),
        rates=(0.0, 0.5),
        probes=ELEMENTWISE,
    )
    assert shapes(task.bulk) == [(40, 50)]
    assert [shapes(probe) for probe in task.bulks] == [[(6, 5, 10, 10)]]
    assert [shapes(probe) for probe in task.probes] == [[(6, 7)], [(1, 7)], [()], [(9,)], [(2, 3, 4, 2)]]


def running(x: Tensor, gamma: Tensor, beta: Tensor, state: Any, *, momentum: float, train: bool, eps: float) -> Any:
    mean, var = (s.clone() for s in state or (x.new_zeros(x.shape[1]), x.new_ones(x.shape[1])))
    return F.batch_norm(x, mean, var, gamma, beta, training=train, momentum=momentum, eps=eps), (mean, var)


def test_a_layer_with_a_state_in_words() -> None:
    task = Stateful(
        "x[N,D] gamma[D] beta[D] state -> out[N,D] state",
        oracle=running,
        sizes={"N": 5, "D": 3},
        hyper={"momentum": 0.1, "eps": 1e-5},
        calls={"t": {"train": True}, "e": {"train": False, "N": 4}},
        probes=(
            run("te"),
            run("tte", N=9, D=2, momentum=1.0),
            run("te", "two rows, then one", N=2, e={"N": 1}),
            convention("untrained", Cause.STALE_STATE, "mean 0 and variance 1", run="e"),
            refused("training on one row", says="it has no variance", mentions=(), cause=Cause.NOT_REFUSED, N=1, train=True),
        ),
        rivals=(rival(running, Cause.BIASED_VARIANCE, "biased"),),
    )
    assert task.wrt == ("x", "gamma", "beta")
    by_name = {each.name: each for each in task.runs}
    assert [shapes(call)[0] for call in by_name["te"].calls] == [(5, 3), (4, 3)]
    assert [shapes(call)[0] for call in by_name["tte, N=9, D=2, momentum=1.0"].calls] == [(9, 2)] * 3
    assert [shapes(call)[0] for call in by_name["two rows, then one"].calls] == [(2, 3), (1, 3)]
    assert by_name["te"].calls[0].hyper == {"momentum": 0.1, "eps": 1e-5, "train": True}
    assert by_name["untrained"].calls[0].convention is not None
    assert "batch of one" not in by_name  # it cannot be trained on one row
    assert {"N=5, D=3", "D = 1", "all sizes 5"} <= set(by_name)
    with pytest.raises(CourseError, match="the calls of this task are t, e"):
        Stateful(
            "x[N] state -> out[N] state", oracle=lambda x, state: x, sizes={"N": 3}, calls={"t": {}, "e": {}}, probes=(run("q"),)
        )


# What the units to come need.


def lstm(x: Tensor, h: Tensor, c: Tensor, wx: Tensor, wh: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    cell = torch.lstm_cell(x, (h, c), wx.T, wh.T, b, torch.zeros_like(b))
    return cell[0], cell[1]


def test_an_lstm_cell_in_words() -> None:
    task = Layer("x[N,D] h[N,H] c[N,H] wx[D,4H] wh[H,4H] b[4H] -> h[N,H] c[N,H]", oracle=lstm, sizes={"N": 5, "D": 3, "H": 4})
    assert shapes(task.probes[0]) == [(5, 3), (5, 4), (5, 4), (3, 16), (4, 16), (16,)]
    assert task.wrt == ("x", "h", "c", "wx", "wh", "b")
    assert len(task.probes) == 4
    assert task.signature is not None
    assert [out.name for out in task.signature.outs] == ["h", "c"]


def test_a_network_in_words() -> None:
    def oracle(x: Tensor, params: Any) -> Tensor:
        for w, b in params:
            x = x @ w + b
        return x

    task = Layer(
        "x[N,D] params -> z[N,M]",
        oracle=oracle,
        sizes={"N": 4, "D": 6, "H": 5, "M": 3},
        draw={"params": network("D", "H", "M")},
        probes=(at("one layer", params=network("D", 2)),),
    )
    assert shapes(task.probes[0]) == [(4, 6), (6, 5), (5,), (5, 3), (3,)]
    assert shapes(task.probes[-1]) == [(4, 6), (6, 2), (2,)]
    assert task.leaves == {"params": ("w", "b")}


def test_attention_in_words() -> None:
    def oracle(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
        if causal and q.shape[-2] != k.shape[-2]:
            raise ValueError("causal attention needs T = S")
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    task = Layer(
        "q[...,T,d] k[...,S,d] v[...,S,d] -> out[...,T,d]",
        oracle=oracle,
        sizes={"rest": (3,), "T": 5, "S": 4, "d": 2},
        probes=(
            at(causal=True, S=5),
            refused("T ≠ S", says="a mask needs T = S", mentions=("q", "k"), cause=Cause.NOT_REFUSED, causal=True, T=4, S=5),
            reach("more leading axes", at(rest=(2, 3)), says="only one leading axis is taken so far"),
        ),
    )
    assert shapes(task.probes[0]) == [(3, 5, 2), (3, 4, 2), (3, 4, 2)]
    assert shapes(task.reaches[0].probes[0])[0] == (2, 3, 5, 2)
    assert task.refuses[0].mentions == ("q", "k")


def test_a_language_model_in_words() -> None:
    def oracle(ids: Tensor, params: Any, *, heads: int) -> Tensor:
        (embedding,), *blocks = params
        x = embedding[ids]
        for (w,) in blocks:
            x = x + x @ w / heads
        return x @ embedding.T

    def blocks(vocabulary: int, width: int, depth: int) -> Any:
        """Parameters of its own."""
        return nest((normal().of(vocabulary, width),), *[(normal().of(width, width),)] * depth, leaves=("w",))

    task = Layer(
        "ids[N,T]<V params -> scores[N,T,V]",
        oracle=oracle,
        sizes={"N": 3, "T": 5, "V": 7},
        hyper={"heads": 2},
        draw={"params": blocks(7, 4, 2)},
        probes=(edge("repeated ids", ids=[[1, 1, 1]]), at("no block", params=blocks(7, 3, 0)), at(heads=1)),
    )
    assert task.wrt == ("params",)
    assert [probe.name for probe in task.probes][0] == "N=3, T=5, V=7"
    drawn = [sample(Generator().manual_seed(0)) for sample in task.probes[0].primals.values()]
    assert drawn[0].dtype is torch.int64
    assert task.probes[-1].hyper == {"heads": 1}
