"""A student's file, run as a module of its own: their imports of earlier lessons get the modules that the grader gives."""

from __future__ import annotations

import builtins
import linecache
import sys
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType, ModuleType
from typing import Any

from autograd_check.run.placeholder_modules import PLOTTING, Absent, Loading, tried

COURSE_FOLDERS = ("lessons", "solutions")
NONE: Mapping[str, ModuleType] = MappingProxyType({})


class CourseImports:
    """The `__import__` of a student's file: earlier lessons by any path, everything else as usual.

    `from lessons.u02_network.linear import linear_forward`, `from .linear import ...`, `from linear import ...` and
    `import linear` all mean the source text in `dependencies["linear"]`, whose module is made once, or the module that is
    `borrowed`.

    Imports that no layer needs do not stop a file: plotting packages are stand-ins (`Absent`), and so is one that is not
    installed, unless the file names it among the `tried`, or that cannot be loaded where nothing may be written.

    `names` are python's own for all of these modules; this `__import__` becomes one of them.
    """

    def __init__(
        self,
        dependencies: Mapping[str, str],
        tried: Collection[str] = (),
        borrowed: Mapping[str, ModuleType] = NONE,
        names: dict[str, Any] | None = None,
    ) -> None:
        self.names = own_names() if names is None else names
        self.names["__import__"] = self
        # a unit's `given` goes by its unit as well; without one it is that of the last unit, which is the file's own
        self._sources = {**{name.rpartition(".")[2]: text for name, text in dependencies.items()}, **dependencies}
        self._tried = frozenset(tried)
        self._loading = Loading()
        self._modules = dict(borrowed)
        self._lessons = frozenset([*self._sources, *borrowed])

    def __call__(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """As `builtins.__import__`.

        Raises:
            ModuleNotFoundError: a lesson that is not given.
        """
        path = name.split(".") if name else []
        of_course = level > 0 or path[0] in COURSE_FOLDERS or path[-1] in self._lessons
        if not of_course:
            return self._elsewhere(name, globals, locals, fromlist or ())
        named = next((name for name in (".".join(path[-2:]), *path[-1:]) if name in self._lessons), "")
        if named:
            module = self._lesson(named)
            return module if fromlist or len(path) == 1 else self._packages(path, module)
        if fromlist and all(item in self._lessons for item in fromlist):
            return self._folder(fromlist)
        wanted = ", ".join(fromlist or ()) if not path or path[-1] in COURSE_FOLDERS else path[-1]
        given = f" (this file imports {', '.join(sorted(self._lessons))})" if self._lessons else ""
        raise ModuleNotFoundError(f"no earlier lesson is called {wanted!r}{given}")

    def end_loading(self) -> None:
        """The file has been run: from now on a stand-in is an error."""
        self._loading.over = True

    def _elsewhere(
        self, name: str, globals: Mapping[str, object] | None, locals: Mapping[str, object] | None, fromlist: Sequence[str]
    ) -> Any:
        root = name.partition(".")[0]
        if root in PLOTTING:
            return Absent(name if fromlist else root, self._loading)
        try:
            return builtins.__import__(name, globals, locals, fromlist, 0)
        except ModuleNotFoundError as error:
            known = root in sys.stdlib_module_names or root in sys.modules
            if known or root in self._tried or error.name not in (root, name):
                raise
        except OSError:  # nothing may be written where this runs, and some packages cannot do without a cache
            pass
        return Absent(name if fromlist else root, self._loading)

    def _lesson(self, name: str) -> ModuleType:
        if name not in self._modules:
            self._modules[name] = module = new_module(name.rpartition(".")[2], f"{name}.py", self.names)
            try:
                exec(compile_source(self._sources[name], f"{name}.py"), module.__dict__)
            except BaseException:
                del self._modules[name]
                raise
        return self._modules[name]

    def _folder(self, names: Sequence[str]) -> ModuleType:
        folder = ModuleType("lessons")
        for name in names:
            setattr(folder, name, self._lesson(name))
        return folder

    def _packages(self, path: Sequence[str], module: ModuleType) -> ModuleType:
        """`import lessons.u02_network.linear` binds the outermost name; the rest are attributes."""
        for name in reversed(path[:-1]):
            package = ModuleType(name)
            setattr(package, module.__name__, module)
            module = package
        return module


def own_names() -> dict[str, Any]:
    """A copy of python's own names. To make one takes a reference to every type: in a process that was just forked, 1 ms."""
    return dict(vars(builtins))


def new_module(name: str, filename: str, names: dict[str, Any]) -> ModuleType:
    """An empty module with these names as python's own."""
    module = ModuleType(name)
    module.__dict__["__file__"] = filename
    module.__dict__["__builtins__"] = names
    return module


def compile_source(source: str, filename: str) -> Any:
    """Compile, and let tracebacks and debuggers show the lines."""
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return compile(source, filename, "exec", dont_inherit=True)


def run_source(
    source: str,
    filename: str,
    dependencies: Mapping[str, str],
    borrowed: Mapping[str, ModuleType] = NONE,
    names: dict[str, Any] | None = None,
) -> ModuleType:
    """Run a file as the module `lesson`, with `names` as python's own. Whatever its code raises is raised here."""
    code = compile_source(source, filename)
    importer = CourseImports(dependencies, tried(source), borrowed, names)
    module = new_module("lesson", filename, importer.names)
    before = sys.modules.get("lesson")
    # dataclasses and pickling-free copies look a class's module up here while the file runs.
    sys.modules["lesson"] = module
    try:
        exec(code, module.__dict__)
    finally:
        importer.end_loading()
        if before is None:
            sys.modules.pop("lesson", None)
        else:
            sys.modules["lesson"] = before
    return module
