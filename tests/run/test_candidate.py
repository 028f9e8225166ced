"""What a candidate answers, the same in both executors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.requests import Code, Seed
from autograd_check.verify.candidate import Opaque, Point

LINEAR = """\
import torch

def linear_forward(x, w, b):
    return x @ w + b, (x, w)

def linear_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)
"""


def f64(values: Any) -> Any:
    return torch.tensor(values, dtype=torch.float64)


def test_names_of_functions(open_candidate: Any) -> None:
    candidate = open_candidate(LINEAR)
    assert candidate.functions() == ("linear_forward", "linear_backward")
    assert candidate.loaded().ok


def test_vjp_is_the_functions_own_value(open_candidate: Any, point: Point, dout: Tensor) -> None:
    outcome = open_candidate(LINEAR).vjp("linear_forward", "linear_backward", point, [dout, 2 * dout])
    out, (first, second) = outcome.value
    x, w, b = point.primals.values()
    assert outcome.ok
    assert torch.equal(out, x @ w + b)
    assert torch.equal(first[0], dout @ w.T)
    assert torch.equal(first[2], dout.sum(0))
    assert torch.equal(second[1], x.T @ (2 * dout))
    assert (outcome.changed, outcome.aliases, outcome.printed) == ((), (), "")


def test_each_backward_has_a_forward_of_its_own_unless_the_cache_is_shared(open_candidate: Any) -> None:
    source = "def f_forward(x): return x * 2, [0]\ndef f_backward(d, cache):\n    cache[0] += 1\n    return d * cache[0]\n"
    candidate = open_candidate(source)
    x, d = f64([1.0]), f64([3.0])
    alone = candidate.vjp("f_forward", "f_backward", Point({"x": x}), [d, d]).value[1]
    shared = candidate.vjp("f_forward", "f_backward", Point({"x": x}), [d, d], share_cache=True).value[1]
    assert [float(g) for g in alone] == [3.0, 3.0]
    assert [float(g) for g in shared] == [3.0, 6.0]


def test_a_failing_backward_leaves_the_output(open_candidate: Any) -> None:
    source = "def f_forward(x): return x * 2, None\ndef f_backward(d, cache):\n    y = 1\n    return d / cache\n"
    outcome = open_candidate(source, "mine.py").vjp("f_forward", "f_backward", Point({"x": f64([1.0])}), [f64([1.0])])
    assert torch.equal(outcome.value[0], f64([2.0]))
    assert outcome.value[1] == []
    assert outcome.failure.cause == "crashed"
    assert outcome.failure.exception == "TypeError"
    assert outcome.failure.where == "mine.py:4"
    assert outcome.failure.trace == '  File "mine.py", line 4, in f_backward\n    return d / cache'


def test_the_second_of_two_backwards_may_fail(open_candidate: Any) -> None:
    source = "def f_forward(x): return x, [x]\ndef f_backward(d, cache): return d * cache.pop()\n"
    outcome = open_candidate(source).vjp("f_forward", "f_backward", Point({"x": f64([2.0])}), [f64([1.0])] * 2, share_cache=True)
    assert len(outcome.value[1]) == 1
    assert outcome.failure.exception == "IndexError"


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("x", "f_forward must return (out, cache); it returned one Tensor"),
        ("(x, x, x)", "f_forward must return (out, cache); it returned 3 values"),
        ("None", "f_forward must return (out, cache); it returned None: is a return missing?"),
        ("{'out': x}", "f_forward must return (out, cache); it returned one dict"),
    ],
)
def test_a_forward_returns_out_and_cache(open_candidate: Any, returned: Any, text: str) -> None:
    candidate = open_candidate(f"def f_forward(x): return {returned}\ndef f_backward(d, c): return d\n")
    point = Point({"x": torch.ones(2, 2, dtype=torch.float64)})
    for outcome in (candidate.vjp("f_forward", "f_backward", point, []), candidate.sweep("f_forward", [point])):
        assert outcome.failure.cause == "wrong_arity"
        assert outcome.failure.says == text


@pytest.mark.parametrize(
    ("body", "cause", "exception", "says"),
    [
        ("raise NotImplementedError('f: write me')", "not_implemented", "NotImplementedError", "f: write me"),
        ("raise SystemExit(3)", "exited", "SystemExit", "it called sys.exit(3)"),
        ("raise KeyboardInterrupt", "exited", "KeyboardInterrupt", "it raised KeyboardInterrupt"),
        ("return f(x)", "crashed", "RecursionError", "maximum recursion depth"),
        ("raise MemoryError", "crashed", "MemoryError", "MemoryError"),
        ("raise type('Own', (BaseException,), {})('x')", "crashed", "Own", "x"),
        ("raise ValueError('w' * 9000)", "crashed", "ValueError", "wwww"),
        ("return undefined", "crashed", "NameError", "name 'undefined' is not defined"),
    ],
)
def test_failures(open_candidate: Any, body: str, cause: str, exception: Any, says: str) -> None:
    failure = open_candidate(f"def f(x):\n    {body}\n").call("f", [f64([1.0])]).failure
    assert (failure.cause, failure.exception) == (cause, exception)
    assert failure.says.startswith(says)
    assert len(failure.says) < 600
    assert failure.where == "student.py:2"
    assert "autograd_check" not in failure.trace


def test_a_missing_function(open_candidate: Any) -> None:
    candidate = open_candidate("f = 3\n")
    assert candidate.call("g", []).failure.cause == "missing"
    assert candidate.call("g", []).failure.says == "g is not defined"


@pytest.mark.parametrize(
    ("source", "exception", "where", "cause"),
    [
        ("x = 1\ndef f(:\n", "SyntaxError", "student.py:2", "crashed"),
        ("import torch\n\n1 / 0\n", "ZeroDivisionError", "student.py:3", "crashed"),
        ("import sys\nsys.exit(0)\n", "SystemExit", "student.py:2", "exited"),
        ("try:\n    import nowhere_at_all\nexcept KeyError: pass\n", "ModuleNotFoundError", "student.py:2", "crashed"),
        ("raise NotImplementedError\n", "NotImplementedError", "student.py:1", "not_implemented"),
    ],
)
def test_a_file_that_does_not_load(open_candidate: Any, source: str, exception: Any, where: Any, cause: str) -> None:
    candidate = open_candidate(source)
    loaded = candidate.loaded()
    assert (loaded.failure.exception, loaded.failure.where, loaded.failure.cause) == (exception, where, cause)
    assert candidate.functions() == ()
    assert candidate.call("f", []).failure == loaded.failure
    assert candidate.sweep("f", [Point({})]).failure == loaded.failure
    assert candidate.vjp("f", "g", Point({}), []).failure == loaded.failure


def test_changed_arguments_are_named(open_candidate: Any) -> None:
    source = (
        "def f_forward(x, params):\n    x += 1\n    params[0][1].mul_(2)\n    return x.clone(), x\n"
        "def f_backward(d, cache):\n    d.zero_()\n    return d.clone()\n"
    )
    x, w, b = f64([1.0]), f64([2.0]), f64([3.0])
    outcome = open_candidate(source).vjp("f_forward", "f_backward", Point({"x": x, "params": [(w, b)]}), [f64([1.0])])
    assert sorted(outcome.changed) == ["params[0][1]", "x"]
    assert outcome.spoilt == ("dout",)
    assert (float(x), float(b)) == (1.0, 3.0)


def test_a_nan_that_stays_is_no_change_and_a_lost_item_is_one(open_candidate: Any) -> None:
    source = "def f(x, items):\n    return x.sum()\ndef g(x, items):\n    items.pop()\n    return x\n"
    candidate = open_candidate(source)
    arguments = [f64([math.nan, 1.0]), [f64([1.0])]]
    assert candidate.call("f", arguments).changed == ()
    assert candidate.call("g", arguments).changed == ("items",)


@pytest.mark.parametrize(
    ("gradients", "aliases"),
    [
        ("d, d.clone(), d.sum(0)", ()),
        ("d, d, d.sum(0)", ("dw shares memory with dx",)),
        ("d, cache[1], d.sum(0)", ("dw shares memory with w",)),
        ("cache[0].T.T, d, d.sum(0)", ("dx shares memory with x",)),
        ("cache[2][:2], cache[2][2:], d.sum(0)", ()),
        ("cache[3][:, :2], cache[3][:, 2:], d.sum(0)", ()),
        ("cache[3][:, :2], cache[3][:, 1:3], d.sum(0)", ("dw shares memory with dx",)),
    ],
)
def test_gradients_that_share_memory(open_candidate: Any, gradients: Any, aliases: Any) -> None:
    source = (
        "def f_forward(x, w, b): return x + w, (x, w, x.new_zeros(4, 2), x.new_zeros(2, 4))\n"
        f"def f_backward(d, cache): return {gradients}\n"
    )
    point = Point({"x": torch.ones(2, 2, dtype=torch.float64), "w": torch.ones(2, 2, dtype=torch.float64), "b": f64([1.0, 2.0])})
    outcome = open_candidate(source).vjp("f_forward", "f_backward", point, [torch.ones(2, 2, dtype=torch.float64)])
    assert outcome.ok
    assert outcome.aliases == aliases


def test_prints_are_kept_short_and_warnings_dropped(open_candidate: Any, capfd: Any, recwarn: Any) -> None:
    source = (
        "import sys, warnings\nprint('loading')\n"
        "def f(x):\n    print('hello', x)\n    print('e', file=sys.stderr)\n    warnings.warn('no')\n    return x\n"
        "def g():\n    for i in range(100_000):\n        print('spam')\n    return 1\n"
    )
    candidate = open_candidate(source)
    assert candidate.loaded().printed == "loading\n"
    assert candidate.call("f", [1]).printed == "hello 1\ne\n"
    assert len(candidate.call("g", []).printed) < 2010
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_arguments_keep_their_strides_and_dtype(open_candidate: Any) -> None:
    source = "def f(x): return list(x.stride()), str(x.dtype), x.is_contiguous()\ndef g(x): return x * 1\n"
    candidate = open_candidate(source)
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    for view in (base, base.T, base[::2, 1::2], base[:, :1].expand(4, 3), base[0, 0], base[:0]):
        assert candidate.call("f", [view]).value == (list(view.stride()), "torch.float32", view.is_contiguous())
        assert torch.equal(candidate.call("g", [view]).value, view)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([True, False]),
        torch.tensor(3),
        torch.tensor([1 + 2j, -1j]),
        torch.tensor([1.5, -2.0]).to(torch.bfloat16),
        torch.tensor([[math.nan, math.inf, -0.0]]),
        torch.zeros(2, 0, 3),
        torch.tensor([1 + 2j]).conj(),
    ],
)
def test_tensors_of_every_kind_come_back(open_candidate: Any, tensor: Any) -> None:
    back = open_candidate("def f(x): return x.clone()\n").call("f", [tensor]).value
    assert (back.shape, back.dtype) == (tensor.shape, tensor.dtype)
    assert torch.equal(torch.isnan(back), torch.isnan(tensor))
    kept = ~torch.isnan(tensor)
    assert torch.equal(back[kept], tensor.resolve_conj()[kept])


def test_values_that_are_no_tensors(open_candidate: Any) -> None:
    source = (
        "import torch, numpy, collections\nclass Own: pass\n"
        "def f(): return [1, 2.5, True, None, 'text', (1,), {'a': 1, 2: 'b'}, 1 + 2j]\n"
        "def g(): return [Own(), numpy.ones(2), numpy.float64(1.0), lambda: 0, torch.float32, {1, 2}, range(3), torch.Size([2])]\n"
        "def h():\n    loop = []\n    loop.append(loop)\n    return loop\n"
        "def many(): return [0] * 1_000_000\n"
        "def par(): return torch.nn.Parameter(torch.ones(2))\n"
    )
    candidate = open_candidate(source)
    assert candidate.call("f", []).value == [1, 2.5, True, None, "text", (1,), {"a": 1, "2": "b"}, 1 + 2j]
    assert candidate.call("g", []).value == [
        Opaque("Own"),
        Opaque("numpy.ndarray"),
        1.0,
        Opaque("function"),
        Opaque("torch.dtype"),
        Opaque("set"),
        Opaque("range"),
        (2,),
    ]
    assert candidate.call("h", []).ok
    assert candidate.call("many", []).failure.says == "it returned more than 20000 values"
    parameter = candidate.call("par", []).value
    assert type(parameter) is torch.Tensor
    assert not parameter.requires_grad


def test_seeds_and_code_are_made_anew_for_every_call(open_candidate: Any) -> None:
    source = "import torch\ndef f(n, *, generator): return torch.rand(n, generator=generator)\ndef apply(g, x): return g(x)\n"
    candidate = open_candidate(source)
    one, two = (candidate.call("f", [4], {"generator": Seed(7)}).value for _ in range(2))
    assert torch.equal(one, two)
    assert torch.equal(one, torch.rand(4, generator=torch.Generator().manual_seed(7)))
    code = Code("counted", "count = [0]\ndef counted(x):\n    count[0] += 1\n    return x * count[0] + math.floor(torch.pi)")
    assert [candidate.call("apply", [code, 5]).value for _ in range(2)] == [8, 8]


def test_unseeded_randomness_stays_visible(open_candidate: Any) -> None:
    source = "import torch\ndef f_forward(x): return x, None\ndef f_backward(d, cache): return d * torch.rand(1, dtype=d.dtype)\n"
    one, two = open_candidate(source).vjp("f_forward", "f_backward", Point({"x": f64([1.0])}), [f64([1.0])] * 2).value[1]
    assert not torch.equal(one, two)


def test_a_sweep_reseeds_and_survives_a_bad_point(open_candidate: Any) -> None:
    source = (
        "import torch\ndef f_forward(x):\n    if x < 0: raise ValueError\n    return x + torch.rand(1, dtype=x.dtype), None\n"
        "def g_forward(x): return x * 2\n"
    )
    candidate = open_candidate(source)
    points = [Point({"x": f64([value])}) for value in (1.0, -1.0, 1.0)]
    outcome = candidate.sweep("f_forward", points)
    assert outcome.ok
    assert torch.equal(outcome.value[0][0], outcome.value[2][0])
    assert outcome.value[1] == (None, None)
    assert [float(out) for out, _ in candidate.sweep("g_forward", points, returns_cache=False).value] == [2.0, -2.0, 2.0]
    nowhere = candidate.sweep("f_forward", points[1:2])
    assert nowhere.failure.exception == "ValueError"
    assert nowhere.value == [(None, None)]


def test_signatures_tell_branches_apart(open_candidate: Any) -> None:
    source = "def f_forward(x): return (x > 0) * x, None\n"
    points = [Point({"x": f64([value])}) for value in (1.0, 2.0, -1.0)]
    (_, one), (_, two), (_, other) = open_candidate(source).sweep("f_forward", points, signatures=True).value
    assert one == two != other


def test_the_tape_of_the_functions_own_forward(open_candidate: Any) -> None:
    source = (
        "import torch\n"
        "def f_forward(x, params, ids):\n"
        "    x *= 2\n    (w, b), = params\n    return x * w + b.detach(), (x,)\n"
        "def cut_forward(x): return torch.tensor(x.tolist()), None\n"
    )
    candidate = open_candidate(source)
    x, w, b, d = f64([1.0, 2.0]), f64([3.0, 4.0]), f64([5.0, 6.0]), f64([1.0, 10.0])
    point = Point({"x": x, "params": [(w, b)], "ids": torch.tensor([1])})
    outcome = candidate.taped("f_forward", point, d, ["params", "x"])
    assert outcome.ok
    ((dw, db),), dx = outcome.value
    assert torch.equal(dx, 2 * w * d)
    assert torch.equal(dw, 2 * x * d)
    assert db is None
    assert candidate.taped("cut_forward", Point({"x": x}), d, ["x"]).value == [None]


def test_the_tape_of_complex_and_of_several_outputs(open_candidate: Any) -> None:
    source = "def f_forward(z, x): return (z * (1 + 2j), x.float() * 3, 'text'), None\ndef wide_forward(x): return x[None] * x[:, None], None\n"
    candidate = open_candidate(source)
    z, x = torch.tensor([1 - 1j, 2j], dtype=torch.complex128), f64([1.0, 2.0])
    dz, dx = torch.tensor([1j, 3.0], dtype=torch.complex128), f64([5.0, 7.0])
    outcome = candidate.taped("f_forward", Point({"z": z, "x": x}), (dz, dx, None), ["z", "x"])
    assert torch.allclose(outcome.value[0], dz * (1 - 2j))
    assert torch.equal(outcome.value[1], 3 * dx)
    failure = candidate.taped("wide_forward", Point({"x": x}), dx, ["x"]).failure
    assert failure.says == "the forward returned shape (2, 2), expected (2,), the shape of dout"


def test_gradients_are_off_while_functions_run(open_candidate: Any) -> None:
    source = "import torch\ndef f(x): return torch.is_grad_enabled()\n"
    assert open_candidate(source).call("f", [1]).value is False


def test_operations_are_named(open_candidate: Any, point: Point, dout: Tensor) -> None:
    source = (
        "import torch\ndef f_forward(x, w, b): return torch.nn.functional.softmax(x @ w, -1), x\n"
        "def f_backward(d, x):\n    with torch.enable_grad():\n        return d.sigmoid_()\n"
    )
    outcome = open_candidate(source).operations("f_forward", point, "f_backward", dout)
    assert {"softmax", "_softmax", "mm", "sigmoid_", "autograd"} <= set(outcome.value)
    alone = open_candidate(source).operations("f_forward", point)
    assert "autograd" not in alone.value


@pytest.mark.parametrize(
    "line",
    [
        "from lessons.u02_network.linear import linear_forward",
        "from solutions.u02_network.linear import linear_forward",
        "from .linear import linear_forward",
        "from ..u02_network.linear import linear_forward",
        "from linear import linear_forward",
        "from . import linear; linear_forward = linear.linear_forward",
        "from lessons.u02_network import linear as l; linear_forward = l.linear_forward",
        "import linear; linear_forward = linear.linear_forward",
        "import lessons.u02_network.linear as l; linear_forward = l.linear_forward",
        "import lessons.u02_network.linear; linear_forward = lessons.u02_network.linear.linear_forward",
        "from linear import *",
    ],
)
def test_earlier_lessons_are_imported_by_any_path(open_candidate: Any, point: Point, line: Any) -> None:
    source = f"{line}\ndef f(x, w, b): return linear_forward(x, w, b)[0]\n"
    candidate = open_candidate(source, dependencies={"linear": LINEAR})
    x, w, b = point.primals.values()
    assert torch.equal(candidate.call("f", [x, w, b]).value, x @ w + b)


def test_a_lesson_is_made_once_and_may_import_another(open_candidate: Any) -> None:
    dependencies = {"one": "items = []\n", "two": "from .one import items\nitems.append(1)\n"}
    source = "import one, two\nfrom lessons.u.one import items\ndef f(): return items is one.items, one.items\n"
    assert open_candidate(source, dependencies=dependencies).call("f", []).value == (True, [1])


def test_a_lesson_that_is_not_given_is_named(open_candidate: Any) -> None:
    loaded = open_candidate("from lessons.u07.conv2d import conv2d_forward\n", dependencies={"linear": LINEAR}).loaded()
    assert loaded.failure.exception == "ModuleNotFoundError"
    assert loaded.failure.says == "no earlier lesson is called 'conv2d' (this file imports linear)"


def test_dataclasses_and_caches_of_any_kind(open_candidate: Any) -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport torch\n"
        "@dataclass\nclass Cache:\n    x: torch.Tensor\n"
        "def f_forward(x): return x * x, Cache(x)\ndef f_backward(d, cache): return [2 * cache.x * d]\n"
    )
    outcome = open_candidate(source).vjp("f_forward", "f_backward", Point({"x": f64([3.0])}), [f64([1.0])])
    assert float(outcome.value[1][0][0]) == 6.0


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True:\n        try: x = x + 1\n        except BaseException: pass",
        "while True:\n        try:\n            while True: pass\n        except Exception: pass",
    ],
)
def test_endless_loops_are_stopped(open_candidate: Any, body: str) -> None:
    candidate = open_candidate(f"def f(x):\n    {body}\ndef g(): return 1\n", deadline=0.4)
    failure = candidate.call("f", [1]).failure
    assert failure.cause == "timed_out"
    assert failure.says == "it was stopped after 0.4 s; is there a loop that never ends?"
    assert candidate.call("g", []).value == 1


def test_an_endless_loop_while_loading(open_candidate: Any) -> None:
    candidate = open_candidate("while True: pass\n", deadline=0.4)
    assert candidate.loaded().failure.cause == "timed_out"
    assert candidate.call("f", []).failure.cause == "timed_out"


def test_processor_time_is_what_counts(open_candidate: Any) -> None:
    """Whoever waits, for a processor on a busy machine or for anything else, is not endless."""
    candidate = open_candidate("import time\ndef f():\n    time.sleep(0.5)\n    return 1\n", deadline=0.2)
    assert candidate.call("f", []).value == 1


def test_what_sleeps_for_good_is_stopped_as_well(open_candidate: Any) -> None:
    candidate = open_candidate("import time\ndef f(): time.sleep(1000)\n", patience=0.5)
    failure = candidate.call("f", []).failure
    assert (failure.cause, failure.says) == ("timed_out", "it was stopped after 0.5 s; is there a loop that never ends?")


def test_the_deadline_is_of_one_call_not_of_a_sweep(open_candidate: Any) -> None:
    busy = "    until = time.process_time() + 0.1\n    while time.process_time() < until: pass\n"
    candidate = open_candidate(f"import time\ndef f_forward(x):\n{busy}    return x, None\n", deadline=0.5)
    outcome = candidate.sweep("f_forward", [Point({"x": f64([1.0])})] * 9)
    assert outcome.ok
    assert len(outcome.value) == 9
