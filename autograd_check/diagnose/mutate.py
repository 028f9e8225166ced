"""Mutants of a definition: its source with one small edit each, of the kinds that people make.

A wrong array that equals a mutant's is that mistake. Nothing here runs anything: a mutant is a name, a cause, and code.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

from autograd_check.causes import Cause

REDUCTIONS = ("sum", "mean")
CURVES = ("exp", "log", "log1p", "expm1", "sqrt", "rsqrt", "square", "abs", "tanh", "sigmoid", "erf", "sign", "clamp", "relu")
"""Functions of one tensor that are easily left out."""

TURNS = ("T", "mT", "transpose", "permute", "flip", "swapaxes", "movedim")
OTHER_AXES = ("0", "1", "-1", "(0, 1)", "(0, 2)", "(2, 3)", "(0, 2, 3)", "(0,)", "(-2,)")
"""Axes along which a reduction may run by mistake."""

COUNTS = ("numel", "len", "shape", "size")

Edit = tuple[str, Cause, ast.AST]


@dataclass(frozen=True)
class Mutant:
    """One edit: what it does in words, the cause, which function it is in, and that function's code."""

    says: str
    cause: Cause
    function: str
    code: CodeType


def mutants(source: str, functions: Sequence[str]) -> Iterator[Mutant]:
    """Every mutant of these functions of some source, the likeliest kinds first, and last the edits of all reductions alike."""
    scopes = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name in functions]
    places = [(scope, place) for scope in scopes for place in _places(scope)]
    for kind in KINDS:
        for scope, (parent, name, index, site) in places:
            for says, cause, node in kind(site, scope):
                ast.fix_missing_locations(node)  # all else has its place in the file
                _put(parent, name, index, node)
                try:
                    code = compile(ast.Module([scope], []), f"<mutant of {scope.name}>", "exec")
                except (SyntaxError, ValueError):
                    continue
                finally:
                    _put(parent, name, index, site)
                yield Mutant(says, cause, scope.name, code)
    for scope in scopes:
        yield from _alike(scope)


def _alike(scope: ast.FunctionDef) -> Iterator[Mutant]:
    """Other axes for several reductions of one kind that run over the same: who takes other axes takes them in all of them."""
    groups: dict[tuple[str, str], list[ast.Call]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REDUCTIONS and node.args:
            groups.setdefault((node.func.attr, ast.unparse(node.args[0])), []).append(node)
    for (name, axes), calls in groups.items():
        for other in OTHER_AXES if len(calls) > 1 else ():
            given = [call.args for call in calls]
            stands = ast.parse(other, mode="eval").body
            says = f"{len(calls)} {name}s run over {_other_axes(given[0][0], stands)}"
            for call in calls:
                call.args = [stands, *call.args[1:]]
            try:
                code = compile(ast.fix_missing_locations(ast.Module([scope], [])), f"<mutant of {scope.name}>", "exec")
            finally:
                for call, args in zip(calls, given, strict=True):
                    call.args = args
            if other != axes:
                yield Mutant(says, Cause.WRONG_AXIS, scope.name, code)


Place = tuple[ast.AST, str, int | None, ast.AST]
"""A node with its parent, the field in which it is, and its number there where the field is a list."""


def _places(scope: ast.FunctionDef) -> list[Place]:
    """Every node of a function's body and where it hangs, but for conditions: edits of one often give the same numbers."""
    found: list[Place] = []
    waiting: list[Place] = [(scope, "body", index, line) for index, line in enumerate(scope.body)]
    while waiting:
        place = waiting.pop(0)
        found.append(place)
        node = place[3]
        for name, value in ast.iter_fields(node):
            items = value if isinstance(value, list) else [value]
            for index, item in enumerate(items):
                if isinstance(item, ast.AST) and name != "test":
                    waiting.append((node, name, index if isinstance(value, list) else None, item))
    return found


def _put(parent: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[index] = node


def _text(node: ast.AST) -> str:
    """A short operand as it is written; a longer one is not told: it may be the answer."""
    text = ast.unparse(node)
    return text if len(text) <= 8 and isinstance(node, (ast.Name, ast.Constant, ast.Attribute)) else "…"


def _named(what: str, node: ast.AST) -> str:
    text = _text(node)
    return f"{what} {text}" if text != "…" else f"one {what.removeprefix('the ')}"


def _number(node: ast.AST) -> float | None:
    """The value of an expression of numbers and roots, such as √(2π); None where a variable takes part."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return float(value)
        case ast.Attribute(value=ast.Name(id="math"), attr="pi"):
            return math.pi
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="sqrt"), args=[inner]):
            under = _number(inner)
            return None if under is None or under < 0 else math.sqrt(under)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            one, other = _number(left), _number(right)
            return None if one is None or other is None else one * other
    return None


def _mentions(node: ast.AST, names: Sequence[str]) -> bool:
    return any(
        (isinstance(inner, ast.Name) and inner.id in names) or (isinstance(inner, ast.Attribute) and inner.attr in names)
        for inner in ast.walk(node)
    )


def _sums(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A term dropped, or its sign."""
    if not isinstance(site, ast.BinOp) or not isinstance(site.op, (ast.Add, ast.Sub)):
        return
    minus = isinstance(site.op, ast.Sub)
    root = site.left
    if isinstance(root, ast.Call) and isinstance(root.func, ast.Attribute) and root.func.attr == "sqrt" and not minus:
        method = not root.args
        inside = ast.BinOp(root.func.value if method else root.args[0], ast.Add(), site.right)
        call = ast.Call(ast.Attribute(inside, "sqrt", ast.Load()), [], []) if method else ast.Call(root.func, [inside], [])
        yield f"{_named('the number', site.right)} stands inside the root", Cause.WRONG_OPERAND, call
    yield f"{_named('the term', site.right)} is missing", Cause.MISSING_TERM, site.left
    rest: ast.expr = ast.UnaryOp(ast.USub(), site.right) if minus else site.right
    yield f"{_named('the term', site.left)} is missing", Cause.MISSING_TERM, rest
    for side, what in ((site.right, "right"), (site.left, "left")):
        for share, words, cause in ((0.5, "half", Cause.MISSING_TERM), (2, "twice", Cause.EXTRA_TERM)):
            scaled = ast.BinOp(ast.Constant(share), ast.Mult(), side)
            pair = (site.left, scaled) if what == "right" else (scaled, site.right)
            yield f"{_named('the term', side)} counts {words}", cause, ast.BinOp(pair[0], site.op, pair[1])
    flipped = ast.BinOp(site.left, ast.Add() if minus else ast.Sub(), site.right)
    yield f"{_named('the term', site.right)} has the wrong sign", Cause.SIGN, flipped
    if minus:
        yield "a difference is the wrong way round", Cause.SIGN, ast.BinOp(site.right, ast.Sub(), site.left)
    else:
        yield f"{_named('the term', site.left)} has the wrong sign", Cause.SIGN, ast.BinOp(site.right, ast.Sub(), site.left)


def _products(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A factor, a divisor or an exponent dropped; a product for a quotient."""
    if not isinstance(site, ast.BinOp):
        return
    if isinstance(site.op, ast.Mult):
        for gone, kept in ((site.right, site.left), (site.left, site.right)):
            cause = Cause.MASK_MISSING if isinstance(gone, ast.Compare) else Cause.MISSING_TERM
            if isinstance(gone, ast.Constant):
                cause = Cause.CONSTANT_FACTOR
            if isinstance(gone, ast.Name) and gone.id.startswith("dout"):
                cause = Cause.IGNORES_UPSTREAM
            yield f"{_named('the factor', gone)} is missing", cause, kept
        yield "a quotient stands for a product", Cause.WRONG_OPERAND, ast.BinOp(site.left, ast.Div(), site.right)
        yield "a sum stands for a product", Cause.WRONG_OPERAND, ast.BinOp(site.left, ast.Add(), site.right)
    if isinstance(site.op, ast.Div):
        counts = _mentions(site.right, COUNTS)
        cause = Cause.MISSING_BATCH_MEAN if counts else Cause.MISSING_TERM
        yield f"{_named('the divisor', site.right)} is missing", cause, site.left
        yield "a product stands for a quotient", Cause.WRONG_OPERAND, ast.BinOp(site.left, ast.Mult(), site.right)
        twice = ast.BinOp(site, ast.Div(), site.right)
        number = _number(site.right)
        often = "it is divided twice" if number is None else f"it is divided by {number:.6g} twice"
        yield often, Cause.EXTRA_BATCH_MEAN if counts else Cause.EXTRA_TERM, twice
        yield (
            "a whole-number division stands for a division",
            Cause.WRONG_OPERAND,
            ast.BinOp(site.left, ast.FloorDiv(), site.right),
        )
    if isinstance(site.op, ast.Pow):
        yield f"{_named('the exponent', site.right)} is missing", Cause.WRONG_OPERAND, site.left
    if isinstance(site.op, ast.MatMult):
        yield "the factors of a matrix product are exchanged", Cause.WRONG_OPERAND, ast.BinOp(site.right, site.op, site.left)
        turned = ast.BinOp(ast.Attribute(site.left, "T", ast.Load()), site.op, site.right)
        yield "a transpose is missing, or there is one too many", Cause.TRANSPOSED, turned
        turned = ast.BinOp(site.left, site.op, ast.Attribute(site.right, "T", ast.Load()))
        yield "a transpose is missing, or there is one too many", Cause.TRANSPOSED, turned


def _minus(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A minus dropped."""
    if isinstance(site, ast.UnaryOp) and isinstance(site.op, ast.USub) and not isinstance(site.operand, ast.Constant):
        yield "a minus sign is missing", Cause.SIGN, site.operand
    if isinstance(site, ast.UnaryOp) and isinstance(site.op, (ast.Not, ast.Invert)):
        yield "a condition is the wrong way round", Cause.MASK_INVERTED, site.operand


def _reductions(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A mean for a sum, another axis, or neither."""
    if not isinstance(site, ast.Call) or not isinstance(site.func, ast.Attribute):
        return
    name = site.func.attr
    if name in REDUCTIONS:
        for other in REDUCTIONS:
            if other != name:
                call = ast.Call(ast.Attribute(site.func.value, other, ast.Load()), site.args, site.keywords)
                yield f"a {other} stands for a {name}", Cause.MEAN_FOR_SUM, call
        yield f"a {name} is missing", Cause.MISSING_REDUCTION, site.func.value
    if name in (
        *REDUCTIONS,
        "amax",
        "amin",
        "max",
        "min",
        "logsumexp",
        "softmax",
        "var",
        "std",
        "cumsum",
        "argmax",
        "norm",
        "flip",
    ):
        for other_axes in OTHER_AXES:
            axes = ast.parse(other_axes, mode="eval").body
            if site.args and isinstance(site.func.value, ast.AST) and ast.unparse(site.args[0]) != other_axes:
                call = ast.Call(site.func, [axes, *site.args[1:]], site.keywords)
                yield f"a {name} runs over {_other_axes(site.args[0], axes)}", Cause.WRONG_AXIS, call
        if site.args or site.keywords:
            yield f"a {name} runs over all axes", Cause.WRONG_AXIS, ast.Call(site.func, [], [])
    if name in ("var", "std"):
        for value in (0, 1):
            given = [word for word in site.keywords if word.arg not in ("correction", "unbiased")]
            call = ast.Call(site.func, site.args, [*given, ast.keyword("correction", ast.Constant(value))])
            yield f"the variance is divided by N{' − 1' if value else ''}", Cause.BIASED_VARIANCE, call


def _other_axes(belongs: ast.expr, stands: ast.expr) -> str:
    """How the axes that stand there differ from those that belong: by their number only where that is certain."""
    known = [_axes(node) for node in (belongs, stands)]
    right, mine = known
    if right is None or mine is None:
        return "other axes"
    if len(right) == len(mine) == 1:
        return "another axis"
    if all(axis >= 0 for axis in (*right, *mine)) and right != mine:
        return "too few axes" if mine < right else "too many axes" if mine > right else "other axes"
    return "other axes"


def _axes(node: ast.expr) -> set[int] | None:
    """The axes of a reduction that are written out as numbers."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    axes = value if isinstance(value, tuple) else (value,)
    return {*axes} if all(type(axis) is int for axis in axes) else None


def _functions(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A function of one tensor left out, a root in another place, a transpose dropped."""
    if isinstance(site, ast.Attribute) and site.attr in ("T", "mT"):
        yield "a transpose is missing", Cause.TRANSPOSED, site.value
    if not isinstance(site, ast.Call) or not isinstance(site.func, ast.Attribute):
        return
    name = site.func.attr
    module = isinstance(site.func.value, ast.Name) and site.func.value.id in ("torch", "math", "F")
    inside = site.args[0] if module and site.args else site.func.value
    if name in TURNS and not module:
        cause = Cause.FLIPPED if name == "flip" else Cause.TRANSPOSED
        yield f"a {name} is missing", cause, inside
    if name in CURVES and (not module or site.args):
        yield f"the {name} is missing", Cause.WRONG_OPERAND, inside
        if name in ("sqrt", "rsqrt") and isinstance(inside, ast.BinOp) and isinstance(inside.op, ast.Add):
            root = ast.Call(ast.Attribute(ast.Name("torch", ast.Load()), "sqrt", ast.Load()), [inside.left], [])
            outside: ast.expr = ast.BinOp(root, ast.Add(), inside.right)
            if name == "rsqrt":
                outside = ast.BinOp(ast.Constant(1), ast.Div(), outside)
            yield f"{_named('the number', inside.right)} stands outside the root", Cause.WRONG_OPERAND, outside
    if name == "where" and module and len(site.args) == 3:
        swapped = ast.Call(site.func, [site.args[0], site.args[2], site.args[1]], [])
        yield "the two branches are exchanged", Cause.MASK_INVERTED, swapped
        yield "one branch stands for both", Cause.MASK_MISSING, site.args[1]
        yield "one branch stands for both", Cause.MASK_MISSING, site.args[2]


def _masks(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A comparison the other way round, or against another number."""
    if isinstance(site, ast.Compare) and len(site.ops) == 1:
        others: dict[type[ast.cmpop], ast.cmpop] = {ast.Gt: ast.LtE(), ast.Lt: ast.GtE(), ast.GtE: ast.Lt(), ast.LtE: ast.Gt()}
        other = others.get(type(site.ops[0]))
        if other is not None:
            yield "a mask is the wrong way round", Cause.MASK_INVERTED, ast.Compare(site.left, [other], site.comparators)


def _loops(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A loop that leaves one out; = for +=; a return too early."""
    if isinstance(site, ast.AugAssign) and isinstance(site.op, ast.Add):
        yield "= stands for +=", Cause.OVERWRITTEN, ast.Assign([site.target], site.value, lineno=0)
    if isinstance(site, ast.Call) and isinstance(site.func, ast.Name) and site.func.id == "range" and len(site.args) == 1:
        fewer = ast.BinOp(site.args[0], ast.Sub(), ast.Constant(1))
        yield "a loop stops one short", Cause.ROWS_MISSING, ast.Call(site.func, [fewer], [])
        yield "a loop starts at 1", Cause.ROWS_MISSING, ast.Call(site.func, [ast.Constant(1), site.args[0]], [])


def _numbers(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """Another number; a step of a slice dropped."""
    if isinstance(site, ast.Constant) and isinstance(site.value, (int, float)) and not isinstance(site.value, bool):
        for other in {0: (1,), 1: (0, 2), 2: (1, 3), 3: (2, 1), 0.5: (1.0,), -1: (0,)}.get(site.value, (1,)):
            yield f"{other} stands for {site.value}", Cause.WRONG_OPERAND, ast.Constant(other)
        if isinstance(site.value, float) and site.value > 0 and not site.value.is_integer():
            for near in (10 * site.value, site.value / 10, 2 * site.value, site.value / 2, site.value**2, site.value**0.5):
                yield f"{near:.6g} stands for {site.value:.6g}", Cause.WRONG_OPERAND, ast.Constant(near)
    if isinstance(site, ast.Slice) and site.step is not None:
        yield "the step of a slice is missing", Cause.WRONG_OPERAND, ast.Slice(site.lower, site.upper)


def _names(site: ast.AST, scope: ast.FunctionDef) -> Iterator[Edit]:
    """Another variable of the same function; 1 − β for β; the upstream gradient as ones."""
    if not isinstance(site, ast.Name) or not isinstance(site.ctx, ast.Load):
        return
    local = [arg.arg for arg in (*scope.args.args, *scope.args.kwonlyargs)]
    local += [node.id for node in ast.walk(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    if site.id not in local:
        return
    if site.id.startswith("dout"):
        ones = ast.Call(ast.Attribute(ast.Name("torch", ast.Load()), "ones_like", ast.Load()), [site], [])
        yield "the upstream gradient is left out of one term", Cause.IGNORES_UPSTREAM, ones
    for other in dict.fromkeys(local):
        if other not in (site.id, "cache", "state"):
            yield f"{other} stands for {site.id}", Cause.WRONG_OPERAND, ast.Name(other, ast.Load())
    yield f"1 − {site.id} stands for {site.id}", Cause.WRONG_OPERAND, ast.BinOp(ast.Constant(1), ast.Sub(), site)
    yield f"the square of {site.id} stands for it", Cause.WRONG_OPERAND, ast.BinOp(site, ast.Pow(), ast.Constant(2))


Kind = Callable[[ast.AST, ast.FunctionDef], Iterator[Edit]]
KINDS: tuple[Kind, ...] = (_sums, _products, _minus, _reductions, _loops, _masks, _functions, _names, _numbers)
