"""What a gradient derived by hand does not need: the names that the honesty check turns down, and why."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALLOWED_IMPORTS = _words(
    """__future__ abc cmath collections copy dataclasses enum functools itertools math numbers numpy operator random
    string time torch typing typing_extensions warnings lessons solutions"""
)
"""Top-level packages that a required function may use."""

NUMBERS = frozenset({"math", "cmath"})
"""Modules of functions of single numbers: a loop over `math.tanh` is one's own work, `torch.tanh` is the lesson's answer."""

DANGEROUS_IMPORTS = _words(
    """_thread ast asyncio atexit builtins cffi code codeop concurrent ctypes dis faulthandler fcntl ftplib gc glob http
    imp importlib inspect io linecache marshal mmap multiprocessing nt os pathlib pdb pickle pkgutil posix pty requests
    resource runpy select selectors shutil signal site socket sqlite3 subprocess sys tempfile threading traceback
    tracemalloc types urllib webbrowser zipimport _ctypes _io _posixsubprocess _socket _os _sys"""
)
"""Modules that reach outside a function's own arguments; a file that imports one while it loads is turned down."""

HARMLESS_PATHS = _words(
    """os.path os.environ os.getenv os.getcwd os.name os.sep os.cpu_count sys.path sys.argv sys.version sys.version_info
    sys.platform sys.executable sys.maxsize sys.float_info sys.byteorder sys.setrecursionlimit"""
)
"""What notebooks do with those modules while they load: find their own folder, set a variable, print a version."""

AUTOMATIC = "the gradient is to be derived by hand, without automatic differentiation"
NUMERICAL = "finite differences are only nearly right; the gradient is to be derived by hand"
READY_MADE = "the layer is to be written with plain tensor functions"
HIDDEN = "names that are put together while the program runs cannot be checked"
OUTSIDE = "a layer needs nothing outside its arguments"

ALLOWED_PATHS = ("torch.nn.functional.one_hot", "torch.nn.functional.pad")
"""Helpers that torch keeps among its layers, though they are none."""

FORBIDDEN_PATHS = {
    "torch.autograd": AUTOMATIC,
    "torch.func": AUTOMATIC,
    "torch.enable_grad": AUTOMATIC,
    "torch.set_grad_enabled": AUTOMATIC,
    "torch.inference_mode": AUTOMATIC,
    "torch.compile": AUTOMATIC,
    "torch.jit": AUTOMATIC,
    "torch.fx": AUTOMATIC,
    "functorch": AUTOMATIC,
    "torch.utils": AUTOMATIC,
    "torch.export": AUTOMATIC,
    "torch.nn": READY_MADE,
    "torch.nn.functional": f"{READY_MADE}, those that torch itself has",
    "torch.ops": READY_MADE,
    "torch.optim": READY_MADE,
    "torch.overrides": OUTSIDE,
    "torch.library": OUTSIDE,
    "torch.hub": OUTSIDE,
    "torch.load": OUTSIDE,
    "torch.save": OUTSIDE,
    "torch.package": OUTSIDE,
    "torch.multiprocessing": OUTSIDE,
    "torch.distributed": OUTSIDE,
    "torch.classes": OUTSIDE,
    "numpy.load": OUTSIDE,
    "numpy.save": OUTSIDE,
    "numpy.fromfile": OUTSIDE,
    "numpy.memmap": OUTSIDE,
    "numpy.ctypeslib": OUTSIDE,
    "numpy.f2py": OUTSIDE,
    "numpy.testing": OUTSIDE,
    "operator.attrgetter": HIDDEN,
    "operator.methodcaller": HIDDEN,
}
"""Dotted names, each with all that lies under it."""

FORBIDDEN_ATTRIBUTES = {
    "requires_grad": AUTOMATIC,
    "requires_grad_": AUTOMATIC,
    "grad_fn": AUTOMATIC,
    "register_hook": AUTOMATIC,
    "retain_grad": AUTOMATIC,
    "backward": AUTOMATIC,
}
"""Attributes of anything. `backward` is fine where the file's own class defines it."""

INTERNAL_ATTRIBUTES = {
    **dict.fromkeys(
        _words(
            """autograd enable_grad set_grad_enabled inference_mode functorch forward_ad make_dual dual_level jacrev jacfwd
            run_backward _execution_engine saved_tensors"""
        ),
        AUTOMATIC,
    ),
    **dict.fromkeys(_words("_C _ops _VF _refs _prims _decomp _functorch _dynamo _inductor"), OUTSIDE),
}
"""Attributes that lead into torch's machinery, of anything: they count where the root is not known, `t.autograd` for some t."""

TAKING_OVER = _words("__code__ __globals__ __closure__ __builtins__")
"""Attributes by which one function is made to do the work of another."""

READING_NAMES = _words("get keys items values copy")
"""What ordinary code does with `globals()` beside looking something up in it."""

ARITHMETIC = _words("__add__ __radd__ __mul__ __rmul__ __matmul__ __rmatmul__ __pow__ __truediv__ __sub__")

MODULE = "a module handed on cannot be checked; say `torch.` where one of its functions is used"
OWN_TENSOR = "a layer works on plain tensors"
OWN_AUTOMATIC = "numbers that carry their derivative are automatic differentiation too; the gradient is to be derived by hand"
TAKEN_OVER = "a function is to be the one that is written in the file"

FORBIDDEN_BUILTINS = {
    "exec": HIDDEN,
    "eval": HIDDEN,
    "compile": HIDDEN,
    "__import__": HIDDEN,
    "globals": HIDDEN,
    "locals": HIDDEN,
    "vars": HIDDEN,
    "__builtins__": HIDDEN,
    "__loader__": HIDDEN,
    "__spec__": HIDDEN,
    "open": OUTSIDE,
    "input": OUTSIDE,
    "breakpoint": OUTSIDE,
}

NAMING_BUILTINS = frozenset({"getattr", "setattr", "delattr", "hasattr"})
"""Functions that take an attribute's name as text: fine where the text is written out, and then it is checked."""

PLAIN_DUNDERS = frozenset(
    f"__{name}__"
    for name in _words(
        """init call len getitem setitem contains iter next repr str name class doc enter exit eq ne lt le gt ge
        hash bool add radd iadd sub rsub isub mul rmul imul truediv rtruediv pow rpow matmul rmatmul neg abs float int index
        post_init slots version"""
    )
)
"""Double-underscore names that ordinary classes use; the rest lead into the interpreter."""
