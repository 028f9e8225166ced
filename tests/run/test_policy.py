"""Honesty read from the source: what is turned down, on which line, why; and what ordinary code may do."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from autograd_check.run.policy import Violation, operations_used, violations

FORBIDDEN = {
    "torch.nn.functional under an alias": (
        "import torch.nn.functional as F\ndef f(x): return F.relu(x)",
        "torch.nn.functional.relu",
        2,
    ),
    "from torch import nn": ("from torch import nn\ndef f(x): return nn.ReLU()(x)", "torch.nn.ReLU", 2),
    "the full name": ("import torch\ndef f(x): return torch.nn.functional.relu(x)", "torch.nn.functional.relu", 2),
    "a star import": ("from torch.nn.functional import *\ndef f(x): return softmax(x)", "torch.nn.functional.softmax", 2),
    "an import inside": ("def f(x):\n    import torch.nn.functional as F\n    return F.relu(x)", "torch.nn.functional", 2),
    "grad": ("from torch.autograd import grad\ndef f(x): return grad(x, x)", "torch.autograd.grad", 2),
    "a Function class": (
        "import torch\nclass G(torch.autograd.Function): pass\ndef f(x): return G.apply(x)",
        "torch.autograd.Function",
        2,
    ),
    "torch.func": ("import torch\ndef f(x): return torch.func.vjp(abs, x)", "torch.func.vjp", 2),
    "functorch": ("import functorch\ndef f(x): return functorch.grad(abs)(x)", "functorch.grad", 2),
    "backward": ("def f(x):\n    x.sum().backward()", "backward", 2),
    "requires_grad_": ("def f(x): return x.requires_grad_()", "requires_grad_", 1),
    "requires_grad as a keyword": ("import torch\ndef f(x): return torch.zeros(2, requires_grad=True)", "requires_grad", 2),
    "requires_grad set": ("def f(x):\n    x.requires_grad = True", "requires_grad", 2),
    "a match pattern": (
        "import torch\ndef f(x):\n    match x:\n        case torch.Tensor(requires_grad_=r): r()",
        "requires_grad_",
        4,
    ),
    "enable_grad": ("import torch\n@torch.enable_grad()\ndef f(x): return x", "torch.enable_grad", 2),
    "torch.ops": ("import torch\ndef f(x): return torch.ops.aten.relu(x)", "torch.ops.aten.relu", 2),
    "torch's private side": ("import torch\ndef f(x): return torch._C._nn.relu(x)", "torch._C._nn.relu", 2),
    "a ready backward": ("import torch\ndef f(x): return torch.threshold_backward(x, x, 0)", "torch.threshold_backward", 2),
    "getattr of torch by text": ("import torch\ndef f(x): return getattr(torch, 'nn').functional.relu(x)", "torch.nn", 2),
    "getattr by made text": ("def f(x): return getattr(x, 'back' + 'ward')()", "getattr", 1),
    "exec": ("def f(x): exec('x')", "exec", 1),
    "__import__": ("def f(x): return __import__('torch')", "__import__", 1),
    "dunder attributes": ("def f(x): return f.__globals__", "__globals__", 1),
    "a module's own imports": ("import random\ndef f(x): return random._os.getcwd()", "random._os.getcwd", 2),
    "torch.os": ("import torch\ndef f(x): return torch.os.getcwd()", "torch.os.getcwd", 2),
    "another package": ("import scipy\ndef f(x): return scipy.special.expit(x)", "scipy", 2),
    "open": ("def f(x): return open('answers')", "open", 1),
    "attrgetter": ("import operator\ndef f(x): return operator.attrgetter('nn')(x)", "operator.attrgetter", 2),
    "a helper": ("from torch import nn\ndef h(x): return nn.ReLU()(x)\ndef f(x): return h(x)", "torch.nn.ReLU", 2),
    "a value": ("from torch import nn\nlayer = nn.ReLU()\ndef f(x): return layer(x)", "torch.nn.ReLU", 2),
    "a helper class": (
        "from torch import nn\nclass H:\n    def go(self, x): return nn.ReLU()(x)\ndef f(x): return H().go(x)",
        "torch.nn.ReLU",
        3,
    ),
    "a default argument": ("import torch\ndef f(x, g=torch.nn.functional.relu): return g(x)", "torch.nn.functional.relu", 2),
    "a decoy parameter": (
        "import torch\ndef f(x):\n    g = lambda torch: 0\n    return torch.nn.functional.relu(x)",
        "torch.nn.functional.relu",
        4,
    ),
    "a decoy loop": (
        "import torch\ndef f(x): return [torch for torch in [torch.nn.functional.relu(x)]]",
        "torch.nn.functional.relu",
        2,
    ),
    "the function as a value": ("import torch\nf = torch.nn.functional.relu", "torch.nn.functional.relu", 2),
    "a definition in a branch": (
        "import torch\nif True:\n    def f(x): return torch.nn.functional.relu(x)",
        "torch.nn.functional.relu",
        3,
    ),
}


@pytest.mark.parametrize(("source", "name", "line"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_what_is_turned_down(source: str, name: str, line: Any) -> None:
    found = violations(source, ["f"])
    assert (name, line) in [(violation.name, violation.line) for violation in found]
    assert all(violation.function == "f" and violation.reason for violation in found)


@pytest.mark.parametrize("module", ["os", "sys", "subprocess", "socket", "ctypes", "inspect", "gc", "importlib", "threading"])
@pytest.mark.parametrize(
    "form",
    [
        "import {0}\n{0}.something()",
        "from {0} import something\nsomething()",
        "from {0} import *",
        "try:\n    import {0}\n    x = {0}.y\nexcept ImportError: pass",
        "class A:\n    import {0} as b\n    c = b.d",
    ],
)
def test_dangerous_modules_at_work_while_loading(module: Any, form: Any) -> None:
    found = violations(f"{form.format(module)}\ndef f(x): return x\n", ["f"])
    assert [(violation.function, violation.name) for violation in found] == [("", module)]
    assert found[0].says.endswith("a layer needs nothing outside its arguments; remove the import")


@pytest.mark.parametrize("module", ["os", "sys", "matplotlib.pyplot"])
def test_an_import_that_nothing_uses_is_no_violation(module: Any) -> None:
    source = f"import {module} as m\ndef plot(): m.show()\ndef f(x): return x\n"
    assert violations(source, ["f"]) == ()
    assert [v.function for v in violations(source, ["plot"])] == ["plot"]


@pytest.mark.parametrize(
    "source",
    [
        "import os, sys\nsys.path.append(os.path.join(os.getcwd(), '..'))\nos.environ['KMP_DUPLICATE_LIB_OK'] = 'True'",
        "import sys\nsys.setrecursionlimit(10_000)\nprint(sys.version)",
        "from os import getcwd\nimport os.path as p\nhere = p.dirname(getcwd())",
    ],
)
def test_what_notebooks_do_with_their_own_folder_is_no_violation(source: str) -> None:
    assert violations(f"{source}\ndef f(x): return x\n", ["f"]) == ()


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.path.exists('x')\nos._exit(0)",
        "import os\ngetattr(os, '_exit')(0)",
        "import os\nx = os\nx._exit(0)",
        "import os\nos.path.os._exit(0)",
        "import os\nos.path.genericpath.os._exit(0)",
        "import sys\nsys.modules.clear()\nsys.path.append('.')",
    ],
)
def test_a_harmless_use_does_not_excuse_another(source: str) -> None:
    found = violations(f"{source}\ndef f(x): return x\n", ["f"])
    assert [violation.name for violation in found] == [source[7:].partition("\n")[0]]


def test_torch_is_not_to_be_changed() -> None:
    found = violations("import torch\ntorch.allclose = lambda *a: True\ndef f(x):\n    torch.Tensor.sum = None\n", ["f"])
    assert [(v.function, v.name, v.line) for v in found] == [("f", "torch.Tensor.sum", 4), ("", "torch.allclose", 2)]
    assert found[1].says == "the file uses torch.allclose (line 2): torch itself is not to be changed"


ORDINARY = {
    "containers and text": "def f(x):\n    out = []\n    out.append(x)\n    return f'{x.shape} {len(out)!r}', {k: v for k, v in enumerate(out)}",
    "math and numpy": "import math, numpy as np\ndef f(x): return math.sqrt(2) * np.exp(1) * x",
    "a cache class": "from dataclasses import dataclass\nimport torch\n@dataclass\nclass C:\n    x: torch.Tensor\n    def __add__(self, o): return self\ndef f(x): return x, C(x)",
    "a layer class with backward": "class L:\n    def backward(self, d): return d\ndef f(x): return L().backward(x)",
    "unrelated torch.nn beside it": "import torch\nfrom torch import nn\nmodel = nn.Linear(3, 4)\nx = nn.ReLU()(torch.ones(3))\ndef f(x, model): return x * model",
    "F as a size": "import torch.nn.functional as F\ndef f(w):\n    F, C = w.shape\n    return F * C",
    "F as a loop variable": "import torch.nn.functional as F\ndef f(w): return [F + 1 for F in w]",
    "an older version of the function": "import torch\ndef f(x): return torch.nn.functional.relu(x)\ndef f(x): return x * (x > 0)",
    "a main guard": "if __name__ == '__main__':\n    import sys\n    sys.exit()\ndef f(x): return x",
    "getattr by a plain name": "def f(x): return getattr(x, 'shape')",
    "no_grad and detach": "import torch\ndef f(x):\n    with torch.no_grad():\n        return x.detach().clone().new_zeros(3, requires_grad=False).T",
    "type and isinstance": "import torch\ndef f(x): return isinstance(x, torch.Tensor), type(x).__name__, x.__class__",
    "linalg and fft": "import torch\ndef f(x): return torch.linalg.norm(x) + torch.fft.fft(x).real",
    "earlier lessons": "from lessons.u02_network.linear import linear_forward\nfrom .relu import relu_forward\ndef f(x): return relu_forward(linear_forward(x))",
    "a file that does not parse": "def f(:",
}


@pytest.mark.parametrize("source", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_code_is_accepted(source: str) -> None:
    assert violations(source, ["f"]) == ()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("torch.softmax(x, 0)", "torch.softmax"),
        ("x.softmax(0)", "softmax"),
        ("(x + 1).exp().softmax(0)", "softmax"),
        ("x.softmax_(0)", "softmax_"),
        ("torch.special.softmax(x, 0)", "torch.special.softmax"),
        ("getattr(x, 'softmax')(0)", "softmax"),
        ("getattr(torch, 'softmax')(x, 0)", "torch.softmax"),
    ],
)
def test_the_lessons_own_answer(body: str, name: str) -> None:
    source = f"import torch\ndef f(x): return {body}\n"
    (found,) = violations(source, ["f"], forbids=("softmax",))
    assert found == Violation("f", name, 2, "this is the lesson's own answer")
    assert found.says == f"f uses {name} (line 2): this is the lesson's own answer"
    assert violations(source, ["f"]) == ()


def test_a_function_of_the_students_own_may_have_that_name() -> None:
    source = "import torch\ndef softmax(x): return x.exp() / x.exp().sum()\nclass A:\n    def go(self, x): return self.softmax(x)\ndef f(x): return softmax(x), A().go(x)"
    assert violations(source, ["f"], forbids=("softmax",)) == ()


def test_dotted_names_are_forbidden_exactly() -> None:
    source = "import torch\ndef f(x): return torch.cdist(x, x) + x.cdist\n"
    assert [v.name for v in violations(source, ["f"], forbids=("torch.cdist",))] == ["torch.cdist"]


def test_allows_takes_names_off_the_list() -> None:
    source = "import torch\ndef f(x):\n    y = torch.optim.SGD\n    return x.requires_grad_()\n"
    assert [v.name for v in violations(source, ["f"])] == ["torch.optim.SGD", "requires_grad_"]
    assert [v.name for v in violations(source, ["f"], allows=("torch.optim",))] == ["requires_grad_"]
    assert violations(source, ["f"], allows=("torch.optim", "requires_grad_")) == ()


def test_every_function_has_its_own_violations_once_in_order() -> None:
    source = "import torch\ndef h(x): return torch.nn.functional.relu(x)\ndef b(x): return h(h(x))\ndef a(x): return h(x)\n"
    found = violations(source, ["a", "b", "c"])
    assert [(v.function, v.name) for v in found] == [("a", "torch.nn.functional.relu"), ("b", "torch.nn.functional.relu")]


def test_an_expression_too_deep_to_check() -> None:
    source = "def f(x): return " + "-" * 3000 + "x\n"
    found = violations(source, ["f"])
    assert all(v.reason == "they cannot be checked; write them in several lines" for v in found)
    try:
        ast.parse(source)
    except (RecursionError, MemoryError, SyntaxError):
        assert found == ()
    else:
        assert found


QUOTIENTS = {
    "one function": "def g(v): return v ** 3\ndef f_backward(d, x): return d * (g(x + h) - g(x - h)) / (2 * h)\nh = 1e-5",
    "written numbers": "import math\ndef f_backward(d, c): return [e * (math.exp(v + 1e-4) - math.exp(v - 1e-4)) / 2e-4 for v, e in c]",
    "no function": "def f_backward(d, a):\n    h = 1e-4\n    return d * ((a + h) ** 2 - (a - h) ** 2) / (2 * h)",
    "in the forward": "def f_forward(x):\n    e = 1e-6\n    return x * x, ((x + e) * (x + e) - (x + e) * (x - e)) / e, ((x + e) ** 2 - (x - e) ** 2) / e",
}


@pytest.mark.parametrize("source", QUOTIENTS.values(), ids=QUOTIENTS.keys())
def test_difference_quotients(source: str) -> None:
    (found,) = violations(source, ["f_forward", "f_backward"])
    assert found.name == "numeric_differentiation"
    assert found.says.endswith("finite differences are only nearly right; the gradient is to be derived by hand")


NO_QUOTIENTS = {
    "sinh": "import torch\ndef f_backward(d, x): return d * (torch.exp(x) - torch.exp(-x)) / 2",
    "artanh": "import torch\ndef f_backward(d, p): return d * (torch.log(1 + p) - torch.log(1 - p)) / 2",
    "whole steps": "def f_backward(d, x): return d * ((x + 1) ** 2 - (x - 1) ** 2) / 4",
    "an epsilon": "import torch\ndef f_backward(d, p): return d * (torch.log(p + 1e-8) - torch.log(1 - p + 1e-8)) / 1e-8",
    "a function that does just that": "def numerical_gradient(f, x, h): return (f(x + h) - f(x - h)) / (2 * h)",
}


@pytest.mark.parametrize("source", NO_QUOTIENTS.values(), ids=NO_QUOTIENTS.keys())
def test_what_only_looks_like_a_difference_quotient(source: str) -> None:
    assert violations(source, ["f_backward", "numerical_gradient"]) == ()


def test_operations_that_ran() -> None:
    ran = ("matmul", "mm", "_softmax_backward_data", "sigmoid_", "native_batch_norm", "add", "convolution_backward")
    assert operations_used(ran, ("softmax", "torch.sigmoid", "convolution")) == (
        "_softmax_backward_data",
        "sigmoid_",
        "convolution_backward",
    )
    assert operations_used(ran, ("batch_norm",)) == ("native_batch_norm",)
    assert operations_used(("mm", "autograd"), ()) == ("autograd",)
    assert operations_used(("mm", "numeric_differentiation", "float32"), ()) == ("numeric_differentiation",)
    assert operations_used(ran, ("soft",)) == ()


def test_functions_of_single_numbers_are_no_answer() -> None:
    source = "import math, torch\ndef f(x):\n    return torch.tensor([math.tanh(v) for v in x.tolist()])\ndef g(x): return torch.tanh(x)\n"
    assert violations(source, ["f"], forbids=["tanh"]) == ()
    assert [v.name for v in violations(source, ["g"], forbids=["tanh"])] == ["torch.tanh"]


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ndef f(x): return torch.nn.functional.one_hot(x)",
        "import torch.nn.functional as F\ndef f(x): return F.pad(x, (1, 1))",
        "from torch.nn.functional import one_hot\ndef f(x): return one_hot(x)",
    ],
)
def test_helpers_that_are_no_layers_may_be_used(source: str) -> None:
    assert list(violations(source, ["f"])) == []


def test_a_method_of_ones_own_may_be_called_like_the_lesson() -> None:
    source = "class Layer:\n    def conv2d(self, x): return x\ndef conv2d_forward(x): return Layer().conv2d(x), None\n"
    made = "class Layer:\n    def conv2d(self, x): return x\ndef conv2d_forward(x):\n    layer = Layer()\n    return layer.conv2d(x), None\n"
    assert list(violations(source, ["conv2d_forward"], forbids=("conv2d",))) == []
    assert list(violations(made, ["conv2d_forward"], forbids=("conv2d",))) == []
    decoy = made + "import torch\ndef conv2d_backward(dout, cache): return torch.conv2d(dout, dout)\n"
    assert [v.name for v in violations(decoy, ["conv2d_forward", "conv2d_backward"], forbids=("conv2d",))] == ["torch.conv2d"]


ORDINARY = {
    "a decorator of one's own": (
        "import functools\ndef noted(g):\n    def inner(*a): return g(*a)\n    return functools.wraps(g)(inner)\n"
        "@noted\ndef f(x): return x"
    ),
    "names looked up": "if 'DEBUG' not in globals(): DEBUG = False\nprint(sorted(globals()), globals().get('DEBUG'))\ndef f(x): return x",
    "a switch set": "globals()['DEBUG'] = True\ndef f(x): return x",
    "timing": "import timeit\nif timeit: print(timeit.timeit('1', globals=globals(), number=1))\ndef f(x): return x",
    "fields of an object": "class P: pass\nprint(vars(P()))\ndef f(x): return x",
    "defaults of a named tuple": "from collections import namedtuple\nN = namedtuple('N', 'a b')\nN.__new__.__defaults__ = (0, 0)\ndef f(x): return N(x)",
    "a loop and a with": "import torch\nfor scale in (1, 2): pass\nwith torch.no_grad() as held: pass\ndef f(x): return x * scale",
    "a short name for a class": "import torch\nTensor = torch.Tensor\nt = torch\ndef f(x):\n    assert isinstance(x, Tensor)\n    m = t\n    return m.exp(x) + t.ones(1)",
    "asked for a feature": "import torch\ndef f(x): return torch.hypot(x, x) if hasattr(torch, 'hypot') else x",
    "matched by type": "import torch\ndef f(x):\n    match x:\n        case torch.Tensor(shape=(n, _)): return n\n        case [a, *rest]: return a\n        case {'x': v, **rest}: return v\n        case _: return 0",
    "a class with arithmetic": (
        "class V:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return V(self.x + o.x)\n    def __mul__(self, k): return V(self.x * k)\n"
        "def f_forward(x): return x, x\ndef f_backward(d, c): return (V(d) + V(c) * 2).x\ndef f(x): return f_forward(x)"
    ),
    "a counter changed globally": "calls = 0\ndef f(x):\n    global calls\n    calls += 1\n    return x",
    "imaginary parts that mean something": "import torch\ndef f(x):\n    z = torch.fft.fft(x)\n    w = z * 1j\n    return w.imag / x.shape[0]",
}


@pytest.mark.parametrize("source", ORDINARY.values(), ids=ORDINARY.keys())
def test_ordinary_python_is_accepted(source: str) -> None:
    ast.parse(source)
    assert violations(source, ["f", "f_forward", "f_backward"]) == ()
