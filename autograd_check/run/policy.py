"""Honesty, read from the source before it runs: is this gradient derived by hand, with plain tensor functions?

Only what a required function reaches counts, so that unrelated code beside it (a notebook full of `torch.nn`) is fine.
What runs while the file loads counts where it could disturb the grader. The check is lexical and can be fooled by somebody
who tries; `operations_used` looks at what really ran.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from autograd_check.course.imported import syntax_tree
from autograd_check.run import rules
from autograd_check.run.numeric_differentiation import difference_quotients
from autograd_check.run.operations import AUTOGRAD, NUMERIC
from autograd_check.run.scope import Definition, FileScope, chain_root, imported, renamed, running_statements


@dataclass(frozen=True)
class Violation:
    """One name that a function may not use: where, and why not. `function` is "" for what the file does as it loads."""

    function: str
    name: str
    line: int
    reason: str

    @property
    def says(self) -> str:
        """One sentence for the student."""
        who = self.function or "the file"
        return f"{who} uses {self.name} (line {self.line}): {self.reason}"


def violations(
    source: str,
    functions: Sequence[str],
    *,
    forbids: Collection[str] = (),
    allows: Collection[str] = (),
    lessons: Collection[str] = (),
) -> tuple[Violation, ...]:
    """What the required functions of a file use that they may not; one violation a function and name, in order.

    `forbids` are names that are the lesson's own answer (`softmax`, or a dotted `torch.cdist`), `allows` takes names off
    the course-wide list, `lessons` are names of earlier lessons that may be imported. A file that does not parse has
    none: loading it says what is wrong.
    """
    tree = syntax_tree(source)
    if tree is None:
        return ()
    try:
        judge = _Judge(FileScope.of(tree), frozenset(forbids), frozenset(allows), frozenset(lessons))
        return _judged(judge, tree, functions)
    except RecursionError:
        return (Violation("", "expressions nested this deep", 1, "they cannot be checked; write them in several lines"),)


def _judged(judge: _Judge, tree: ast.Module, functions: Sequence[str]) -> tuple[Violation, ...]:
    found = list(judge.loading(tree))
    for function in functions:
        found += [replace(violation, function=function) for violation in judge.own_automatic(function, functions)]
        for definition in judge.scope.reached(function):
            found += [replace(violation, function=function) for violation in judge.definition(definition)]
            if function.endswith(("_forward", "_backward")):
                lines = difference_quotients(definition)
                found += [Violation(function, NUMERIC, line, rules.NUMERICAL) for line in lines]
    once = {(v.function, v.name): v for v in sorted(found, key=lambda v: -v.line)}
    return tuple(sorted(once.values(), key=lambda v: ([*functions, ""].index(v.function), v.line)))


def operations_used(operations: Iterable[str], forbids: Collection[str]) -> tuple[str, ...]:
    """Operations that ran (`Candidate.operations`) and are forbidden: `_softmax_backward_data` is `softmax`.

    `autograd` and `numeric_differentiation` are always forbidden.
    """
    bare = {name.rpartition(".")[2] for name in forbids}
    return tuple(name for name in operations if name in (AUTOGRAD, NUMERIC) or _family(name) & bare)


def _family(operation: str) -> set[str]:
    """The names under which a forbidden operation may be listed."""
    name = operation.strip("_").removeprefix("native_").removeprefix("thnn_").removeprefix("cudnn_")
    stem = name.removesuffix("_data").removesuffix("_backward").removesuffix("_forward")
    return {operation, name, stem, name.removesuffix("_")}


class _Judge:
    """The rules applied to syntax trees of one file."""

    def __init__(self, scope: FileScope, forbids: frozenset[str], allows: frozenset[str], lessons: frozenset[str]) -> None:
        self.scope = scope
        self._forbids = forbids
        self._allows = allows
        self._lessons = lessons

    def loading(self, tree: ast.Module) -> Iterator[Violation]:
        """Dangerous modules at work, and changes of torch itself, among the statements that run when the file is loaded.

        An import alone does nothing: notebooks are full of imports that no layer uses.
        """
        statements = [statement for statement, _ in running_statements(tree.body)]
        used = {name for statement in statements for name in self._names_at_work(statement)}
        for statement in statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                yield from self._dangerous(statement, used)
            elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for node in ast.walk(statement):
                    if isinstance(node, (ast.Import, ast.ImportFrom)):
                        yield from self._dangerous(node, used)
                    elif isinstance(node, ast.Name) and node.id in ("__import__", "exec", "eval", "__builtins__"):
                        yield from self._builtin(node)
                yield from self._patches(statement)
        yield from self._taking_over(tree)

    def own_automatic(self, function: str, functions: Sequence[str]) -> Iterator[Violation]:
        """A backward that pushes numbers of a class of its own, with arithmetic of its own, through the forward."""
        forward = f"{function.removesuffix('_backward')}_forward"
        if function.endswith("_backward") and forward in functions:
            reached = self.scope.reached(function)
            if any(definition in reached for definition in self.scope.definitions.get(forward, [])):
                for definition in reached:
                    defined = {item.name for item in getattr(definition, "body", []) if isinstance(item, ast.FunctionDef)}
                    if isinstance(definition, ast.ClassDef) and len(defined & rules.ARITHMETIC) > 1:
                        yield Violation("", definition.name, definition.lineno, rules.OWN_AUTOMATIC)

    def _names_at_work(self, statement: ast.AST) -> Iterator[str]:
        """Names that a statement uses as it runs; a module of which it only takes something harmless is none of them."""
        judged: set[int] = set()
        for node in _at_once(statement):
            root = chain_root(node)
            if id(node) in judged or not isinstance(root, ast.Name):
                continue
            judged |= {id(part) for part in ast.walk(node)}  # the whole chain at once: os.path.os is not os.path
            if not _is_harmless(self.scope.path(node, {}) or ""):
                yield root.id

    def definition(self, definition: Definition) -> Iterator[Violation]:
        """Everything in one reached definition."""
        aliases: dict[str, str] = {}
        fields = {id(item) for node in ast.walk(definition) if isinstance(node, ast.ClassDef) for item in node.body}
        inner: set[int] = set()  # names that are judged with what stands around them
        for node in ast.walk(definition):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                aliases |= imported(node)[0]
            elif isinstance(node, ast.Assign) and id(node) not in fields:
                names = renamed(node, partial(self.scope.path, aliases=aliases))
                aliases |= names
                inner |= {id(node.value)} if names and isinstance(node.value, ast.Name) else set()
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in rules.NAMING_BUILTINS:
                inner |= {id(node.func), *(id(first) for first in node.args[:1] if isinstance(first, ast.Name))}
        for node, local in self.scope.scoped(definition):
            bound = local - aliases.keys()
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from self._import(node)
            elif isinstance(node, ast.Attribute) and id(node) not in inner:
                inner |= {id(part) for part in ast.walk(node)} if isinstance(chain_root(node), ast.Name) else set()
                yield from self._attribute(node, aliases, bound)
            elif isinstance(node, ast.Name) and id(node) not in inner and node.id not in bound:
                yield from self._name(node, aliases)
            elif isinstance(node, ast.Call):
                yield from self._call(node, aliases, bound)
            elif isinstance(node, ast.MatchClass):
                for attribute in node.kwd_attrs:
                    yield from self._attribute_name(attribute, node.lineno)
            elif isinstance(node, ast.ClassDef):
                yield from self._own_tensor(node, aliases)
        yield from self._patches(definition)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> Iterator[Violation]:
        aliases, stars = imported(statement)
        for path in [*aliases.values(), *stars]:
            yield from self._path(path, statement.lineno)

    def _dangerous(self, statement: ast.Import | ast.ImportFrom, used: Collection[str]) -> Iterator[Violation]:
        aliases, stars = imported(statement)
        for path in [*(path for name, path in aliases.items() if name in used), *stars]:
            root = path.partition(".")[0]
            if root in rules.DANGEROUS_IMPORTS and not self._allowed(path) and root not in self._lessons:
                yield Violation("", root, statement.lineno, f"{rules.OUTSIDE}; remove the import")

    def _name(self, node: ast.Name, aliases: Mapping[str, str]) -> Iterator[Violation]:
        path = self.scope.path(node, aliases)
        if path is not None:
            yield from self._path(path, node.lineno)
            if isinstance(node.ctx, ast.Load) and _is_module_of_torch(path) and not self._allowed(path):
                yield Violation("", path, node.lineno, rules.MODULE)
        elif node.id not in self.scope.definitions:
            yield from self._builtin(node)
            if node.id in rules.NAMING_BUILTINS and not self._allowed(node.id):
                yield Violation("", node.id, node.lineno, rules.HIDDEN)

    def _builtin(self, node: ast.Name) -> Iterator[Violation]:
        reason = rules.FORBIDDEN_BUILTINS.get(node.id)
        if reason and not self._allowed(node.id):
            yield Violation("", node.id, node.lineno, reason)

    def _attribute(self, node: ast.Attribute, aliases: Mapping[str, str], bound: frozenset[str]) -> Iterator[Violation]:
        root = chain_root(node)
        hidden = isinstance(root, ast.Name) and root.id in bound
        path = None if hidden else self.scope.path(node, aliases)
        if path is not None:
            yield from self._path(path, node.lineno)
            return
        own = isinstance(root, ast.Name) and root.id == "self"
        part: ast.AST = node
        while isinstance(part, ast.Attribute):
            yield from self._attribute_name(part.attr, node.lineno, own=own)
            # The rest of a chain that begins at a call is visited on its own.
            part = part.value if isinstance(root, ast.Name) else root

    def _attribute_name(self, name: str, line: int, *, own: bool = False) -> Iterator[Violation]:
        if self._allowed(name):
            return
        if name.startswith("__") and name.endswith("__") and name not in rules.PLAIN_DUNDERS:
            yield Violation("", name, line, rules.HIDDEN)
        elif name in rules.FORBIDDEN_ATTRIBUTES and name not in self.scope.methods:
            yield Violation("", name, line, rules.FORBIDDEN_ATTRIBUTES[name])
        elif not own and name in rules.INTERNAL_ATTRIBUTES and name not in self.scope.methods:
            yield Violation("", name, line, rules.INTERNAL_ATTRIBUTES[name])
        elif not own and name not in self.scope.methods and self._is_answer(name, name):
            yield Violation("", name, line, "this is the lesson's own answer")

    def _path(self, path: str, line: int) -> Iterator[Violation]:
        """A dotted name that begins at an import."""
        parts = path.split(".")
        if (
            parts[0] in ("lessons", "solutions")
            or parts[0] in self._lessons
            or self._allowed(path)
            or path in rules.ALLOWED_PATHS
        ):
            return
        if parts[0] not in rules.ALLOWED_IMPORTS and parts[0] != "functorch":
            yield Violation("", parts[0], line, f"only torch, math and the like may be imported here; {rules.OUTSIDE}")
            return
        for end in range(len(parts), 0, -1):
            prefix = ".".join(parts[:end])
            if prefix in rules.FORBIDDEN_PATHS:
                yield Violation("", path, line, rules.FORBIDDEN_PATHS[prefix])
                return
        hidden = [part for part in parts[1:] if part in rules.DANGEROUS_IMPORTS or _is_private(part)]
        if hidden or (parts[0] == "torch" and parts[-1].endswith("_backward")):
            yield Violation("", path, line, rules.OUTSIDE if hidden else rules.READY_MADE)
        elif len(parts) > 1 and parts[0] not in rules.NUMBERS and self._is_answer(parts[-1], path):
            yield Violation("", path, line, "this is the lesson's own answer")
        else:
            for part in parts[1:]:
                if part in rules.FORBIDDEN_ATTRIBUTES:
                    yield Violation("", path, line, rules.FORBIDDEN_ATTRIBUTES[part])

    def _call(self, node: ast.Call, aliases: Mapping[str, str], bound: frozenset[str]) -> Iterator[Violation]:
        for keyword in node.keywords:
            refused = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            if keyword.arg == "requires_grad" and not refused and not self._allowed("requires_grad"):
                yield Violation("", "requires_grad", node.lineno, rules.AUTOMATIC)
        naming = isinstance(node.func, ast.Name) and node.func.id in rules.NAMING_BUILTINS
        if not naming or not isinstance(node.func, ast.Name) or node.func.id in self.scope.definitions:
            return
        name = node.args[1] if len(node.args) > 1 else None
        if not (isinstance(name, ast.Constant) and isinstance(name.value, str)):
            if not self._allowed(node.func.id):
                yield Violation("", node.func.id, node.lineno, rules.HIDDEN)
            return
        written = ast.Attribute(node.args[0], name.value, ast.Load(), lineno=node.lineno, col_offset=node.col_offset)
        yield from self._attribute(written, aliases, bound)

    def _patches(self, tree: Definition) -> Iterator[Violation]:
        """Assignments to torch's own attributes."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
                path = self.scope.path(node, {}) or ""
                if path.startswith("torch.") and not path.startswith("torch.backends."):
                    yield Violation("", path, node.lineno, "torch itself is not to be changed")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
                path = (self.scope.path(node.args[0], {}) or "") if node.args else ""
                if path.partition(".")[0] == "torch" and not path.startswith("torch.backends."):
                    yield Violation("", path, node.lineno, "torch itself is not to be changed")

    def _own_tensor(self, definition: ast.ClassDef, aliases: Mapping[str, str]) -> Iterator[Violation]:
        """A class of tensors, or one that answers for them: operations on it are not what they seem."""
        hooks = [item.name for item in ast.walk(definition) if isinstance(item, ast.FunctionDef)]
        bases = [self.scope.path(base, aliases) or "" for base in definition.bases]
        if "torch.Tensor" in bases or any(name.startswith("__torch_") for name in hooks):
            yield Violation("", definition.name, definition.lineno, rules.OWN_TENSOR)

    def _taking_over(self, tree: ast.Module) -> Iterator[Violation]:
        """Ways to make a function another one than is written, anywhere in the file: through its code, or through `globals()`."""
        for node in self.scope.nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in rules.TAKING_OVER:
                yield Violation("", node.attr, node.lineno, rules.TAKEN_OVER)
        named = [node for node in self.scope.nodes if isinstance(node, ast.Call) and _names_of_the_file(node)]
        if not named:
            return
        top = {id(node) for statement in tree.body for node in _at_once(statement)}
        harmless = {id(node) for parent in self.scope.nodes for node in self._only_read(parent)}
        for node in named:
            anywhere = isinstance(node.func, ast.Name) and node.func.id == "globals"
            if (anywhere or id(node) in top) and id(node) not in harmless:
                yield Violation("", "globals", node.lineno, rules.TAKEN_OVER)

    def _only_read(self, parent: ast.AST) -> Sequence[ast.AST]:
        """Parts of a node that it reads and does not keep, so that no function of the file can be put into them."""
        if isinstance(parent, ast.Compare):
            return parent.comparators
        if isinstance(parent, ast.Subscript):
            new = isinstance(parent.slice, ast.Constant) and parent.slice.value not in self.scope.definitions
            return [parent.value] if new or isinstance(parent.ctx, ast.Load) else []
        if isinstance(parent, ast.Attribute):
            return [parent.value] if parent.attr in rules.READING_NAMES else []
        if isinstance(parent, (ast.For, ast.comprehension)):
            return [parent.iter]
        if isinstance(parent, ast.Call):
            printed = isinstance(parent.func, ast.Name) and parent.func.id in ("print", "len", "sorted", "list", "set", "dict")
            timed = [keyword.value for keyword in parent.keywords if keyword.arg in ("globals", "locals")]
            return [*(parent.args if printed else []), *timed]
        return []

    def _is_answer(self, name: str, path: str) -> bool:
        return not self._forbids.isdisjoint({name, name.removesuffix("_"), path})

    def _allowed(self, path: str) -> bool:
        return any(path == name or path.startswith(f"{name}.") for name in self._allows)


def _names_of_the_file(call: ast.Call) -> bool:
    """`globals()`, and `vars()` and `locals()`, which outside of functions are the same: the names of the file as a dictionary."""
    plain = isinstance(call.func, ast.Name) and not call.args and not call.keywords
    return plain and isinstance(call.func, ast.Name) and call.func.id in ("globals", "vars", "locals")


def _is_module_of_torch(path: str) -> bool:
    return path.partition(".")[0] in ("torch", "functorch") and path in sys.modules


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """Every node under one that is evaluated when the statement runs: all but the bodies of functions."""
    yield node
    for field, value in ast.iter_fields(node):
        if field == "body" and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _at_once(child)


def _is_harmless(path: str) -> bool:
    above, _, last = path.rpartition(".")
    safe = last not in rules.DANGEROUS_IMPORTS and not _is_private(last)
    return path in rules.HARMLESS_PATHS or (above in rules.HARMLESS_PATHS and safe)


def _is_private(name: str) -> bool:
    return name.startswith("_") and name not in rules.PLAIN_DUNDERS
