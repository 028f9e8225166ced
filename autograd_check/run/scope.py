"""Which names of a file mean what: its own definitions, its imports as dotted paths, and what a function reaches."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Definition = ast.AST

_BLOCKS = (ast.If, ast.Try, ast.With, ast.For, ast.While)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class FileScope:
    """The top level of a file: what every name was last defined as, what it was imported from, and star imports.

    `aliases` are names that were given to something imported, as in `T = torch.Tensor`.
    """

    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    nodes: tuple[ast.AST, ...] = ()
    _scoped: dict[int, list[tuple[ast.AST, frozenset[str]]]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, tree: ast.Module) -> FileScope:
        """The scope of a parsed file; `if __name__ == "__main__":` blocks do not run and do not count."""
        scope = cls(nodes=tuple(ast.walk(tree)))  # walked once: a file is looked at in many ways
        for statement, certain in running_statements(tree.body):
            scope._add(statement, certain)
        for function in (node for node in scope.nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))):
            for name in _rebound_globally(function):
                scope.definitions.setdefault(name, []).append(function)
        return scope

    def _add(self, statement: ast.stmt, certain: bool) -> None:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            aliases, stars = imported(statement)
            self.imports |= aliases
            self.stars += stars
            for name in aliases:
                self.definitions.pop(name, None)
            return
        self.aliases |= renamed(statement, lambda value: self.path(value, {}))
        for name in bound(statement):
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
                    for node, local in self.scoped(definition)
                    if isinstance(node, ast.Name) and node.id not in local and node.id in self.definitions
                ]
        return found

    def scoped(self, definition: Definition) -> list[tuple[ast.AST, frozenset[str]]]:
        """The nodes of one of the file's definitions (`scoped`), which are looked at for every function that leads to it."""
        if id(definition) not in self._scoped:
            self._scoped[id(definition)] = list(scoped(definition))
        return self._scoped[id(definition)]

    def path(self, node: ast.AST, aliases: Mapping[str, str]) -> str | None:
        """The dotted path that an expression names (`F.relu` is `torch.nn.functional.relu`), if it begins at an import."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = aliases.get(node.id) or self.imports.get(node.id) or self.aliases.get(node.id)
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


def bound(statement: ast.stmt) -> list[str]:
    """Names that a statement itself binds: by assigning, `:=`, `for`, `with`, `match` or `except`; not in blocks inside it."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    names: list[str] = []
    waiting = list(_parts_of_its_own(statement))
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, (ast.MatchAs, ast.MatchStar)) and node.name:
            names.append(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.append(node.rest)
        if not isinstance(node, _FUNCTIONS):
            waiting += ast.iter_child_nodes(node)
    return names


def _parts_of_its_own(statement: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(statement, ast.Match):
        yield from (part for case in statement.cases for part in (case.pattern, *case.body))
    if not isinstance(statement, (*_BLOCKS, ast.Match)):
        yield statement
        return
    for name, value in ast.iter_fields(statement):
        if name not in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST))


def renamed(statement: ast.AST, path: Callable[[ast.AST], str | None]) -> dict[str, str]:
    """Names that an assignment gives to something imported (`t = torch`), with its dotted path."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, (ast.Name, ast.Attribute)):
        return {}
    known = path(statement.value)
    return {target.id: known for target in statement.targets if isinstance(target, ast.Name)} if known else {}


def _rebound_globally(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names of the file that a function binds anew when it runs."""
    nodes = list(ast.walk(function))
    names = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)} if names else set()
    inner = {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node is not function}
    return names & (stored | inner)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))
