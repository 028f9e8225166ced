"""Which names of a file mean what: its own definitions, its imports as dotted paths, and what a function reaches."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Definition = ast.AST

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class FileScope:
    """The top level of a file: what every name was last defined as, what it was imported from, and star imports."""

    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, tree: ast.Module) -> FileScope:
        """The scope of a parsed file; `if __name__ == "__main__":` blocks do not run and do not count."""
        scope = cls()
        for statement, certain in running_statements(tree.body):
            scope._add(statement, certain)
        return scope

    def _add(self, statement: ast.stmt, certain: bool) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            aliases, stars = imported(statement)
            self.imports |= aliases
            self.stars += stars
            for name in aliases:
                self.definitions.pop(name, None)
            return
        for name in _bound(statement):
            if certain:
                self.imports.pop(name, None)
            self.definitions[name] = [statement] if certain else [*self.definitions.get(name, []), statement]
        if isinstance(statement, ast.ClassDef):
            self.methods |= {item.name for item in statement.body if isinstance(item, ast.FunctionDef)}

    def reached(self, name: str) -> list[Definition]:
        """The definitions that a function leads to, itself first: helpers, classes and values of the same file."""
        found: list[Definition] = []
        waiting, seen = [name], set[str]()
        while waiting:
            current = waiting.pop(0)
            if current in seen:
                continue
            seen.add(current)
            for definition in self.definitions.get(current, []):
                found.append(definition)
                waiting += [
                    node.id
                    for node, local in scoped(definition)
                    if isinstance(node, ast.Name) and node.id not in local and node.id in self.definitions
                ]
        return found

    def path(self, node: ast.AST, aliases: Mapping[str, str]) -> str | None:
        """The dotted path that an expression names (`F.relu` is `torch.nn.functional.relu`), if it begins at an import."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = aliases.get(node.id) or self.imports.get(node.id)
        if root is None and node.id not in self.definitions and not hasattr(builtins, node.id):
            root = self._from_star(node.id)
        return None if root is None else ".".join([root, *reversed(parts)])

    def _from_star(self, name: str) -> str | None:
        for module in reversed(self.stars):
            loaded = sys.modules.get(module)
            if loaded is None or hasattr(loaded, name):
                return f"{module}.{name}"
        return None


def chain_root(node: ast.AST) -> ast.AST:
    """What the first dot of `a.b.c` stands behind."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def scoped(node: ast.AST, local: frozenset[str] = frozenset()) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """Every node under one, each with the names that functions around it bind, and which therefore hide the file's own."""
    yield node, local
    inner, outside = local, set[int]()
    if isinstance(node, _FUNCTIONS):
        inner = local | _locals(node)
        outside = {id(part) for part in _evaluated_outside(node)}
    elif isinstance(node, _COMPREHENSIONS):
        targets = (target for generator in node.generators for target in ast.walk(generator.target))
        inner = local | {target.id for target in targets if isinstance(target, ast.Name)}
        outside = {id(node.generators[0])}
        yield from scoped(node.generators[0].iter, local)
        for part in [*node.generators[0].ifs, node.generators[0].target]:
            yield from scoped(part, inner)
    for child in ast.iter_child_nodes(node):
        if isinstance(node, _COMPREHENSIONS) and id(child) in outside:
            continue
        yield from scoped(child, local if id(child) in outside else inner)


def _evaluated_outside(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.AST]:
    return [] if isinstance(node, ast.Lambda) else list(node.decorator_list)


def _locals(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> frozenset[str]:
    """Names that a function binds for itself: parameters and whatever its own body assigns."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    names = {argument.arg for argument in every if argument}
    elsewhere: set[str] = set()
    waiting: list[ast.AST] = [] if isinstance(node, ast.Lambda) else list(node.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, (ast.Global, ast.Nonlocal)):
            elsewhere |= set(part.names)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(part.name)
            continue
        elif isinstance(part, (ast.Lambda, *_COMPREHENSIONS)):
            continue
        waiting += ast.iter_child_nodes(part)
    return frozenset(names - elsewhere)


def running_statements(body: Iterable[ast.stmt], certain: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """Statements that run when a file is loaded, each with whether it certainly does."""
    for statement in body:
        if isinstance(statement, ast.If) and _is_main_guard(statement.test):
            yield from running_statements(statement.orelse, certain)
            continue
        yield statement, certain
        if isinstance(statement, _BLOCKS):
            for part in ("body", "orelse", "finalbody"):
                yield from running_statements(getattr(statement, part, []), False)
            for handler in getattr(statement, "handlers", []):
                yield from running_statements(handler.body, False)


def imported(statement: ast.Import | ast.ImportFrom) -> tuple[dict[str, str], list[str]]:
    """Names that an import binds, each with its dotted path, and modules of star imports. Relative ones are lessons."""
    if isinstance(statement, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
            for alias in statement.names
        }, []
    module = statement.module or ""
    if statement.level:
        module = f"lessons.{module}".rstrip(".")
    stars = [module for alias in statement.names if alias.name == "*"]
    return {alias.asname or alias.name: f"{module}.{alias.name}" for alias in statement.names if alias.name != "*"}, stars


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        nodes = (node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
        return [node.id for node in nodes if isinstance(node.ctx, ast.Store)]
    return []


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))
