"""`code_hash`: what a function computes, as a digest of its source's meaning and of everything it uses.

Captured values, module constants and default arguments enter by value, the author's own functions and classes by their
code, transitively; installed packages by name (their versions belong to the runtime fingerprint).
"""

from __future__ import annotations

import ast
import builtins
import functools
import hashlib
import inspect
import sys
import sysconfig
import textwrap
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.graph.canonical import canonical_bytes
from qmtl.core.graph.code import FUNCTIONS, canonical_tree, free_names

IMPURE_NAMES = frozenset({"open", "input", "eval", "exec", "compile", "globals", "__import__", "print"})
IMPURE_MODULES = frozenset(
    {
        "time",
        "random",
        "socket",
        "os",
        "subprocess",
        "requests",
        "urllib",
        "http",
        "pathlib",
        "io",
        "secrets",
        "uuid",
    }
)
INSTALLED = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def code_hash(function: Any) -> str:
    """SHA-256 (hex). Raises :class:`UserError` naming what cannot be hashed soundly, with the cure."""
    return hashlib.sha256(canonical_bytes(_identity(function, [], "the function"))).hexdigest()


def _identity(value: Any, path: list[Any], name: str) -> object:
    """What a name stands for, as plain values."""
    for depth, seen in enumerate(path):
        if seen is value:
            return ("recursion", depth)
    if isinstance(value, functools.partial):
        parts = [value.func, *value.args, *(v for _, v in sorted(value.keywords.items()))]
        return ("partial", sorted(value.keywords), [_identity(one, path, name) for one in parts])
    if isinstance(value, ModuleType):
        return _module(value, name)
    if isinstance(value, BuiltinFunctionType) or (isinstance(value, type) and value.__module__ == "builtins"):
        return ("builtin", value.__name__)
    if _is_installed(value):
        return ("installed", value.__module__, getattr(value, "__qualname__", type(value).__qualname__))
    if isinstance(value, FunctionType):
        return _function(value, path)
    if isinstance(value, type):
        return _class(value, path)
    if (
        isinstance(value, list | dict | set | bytearray)
        or type(value).__module__ == "numpy"
        and hasattr(value, "flags")
    ):
        raise UserError(
            f"{name!r} can change while the strategy runs, so it cannot be part of an id",
            place="code of the node",
            value=type(value).__name__,
            cure="make it a tuple, or pass it as a parameter",
        )
    return ("value", canonical_bytes(value, name))


def _module(module: ModuleType, name: str) -> object:
    if module.__name__.split(".")[0] in IMPURE_MODULES:
        raise UserError(
            "a node is a pure function of its inputs",
            place="code of the node",
            value=name,
            cure=f"leave {module.__name__} out: time comes as the view's bucket, numbers as parameters",
        )
    return ("module", module.__name__)


def _is_installed(value: Any) -> bool:
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None or not callable(value):
        return False
    file = getattr(module, "__file__", None) or ""
    return file.startswith(INSTALLED) or (not file and module.__name__ in sys.builtin_module_names)


def _function(function: FunctionType, path: list[Any]) -> object:
    tree = _tree(function)
    captured = inspect.getclosurevars(function)
    known: dict[str, Any] = {**vars(builtins), **function.__globals__, **captured.nonlocals}
    inner = [*path, function]

    def free(name: str) -> object:
        if name in IMPURE_NAMES and known.get(name) is getattr(builtins, name, None):
            raise UserError(
                "a node is a pure function of its inputs",
                place=f"code of {function.__name__}",
                value=name,
                cure=f"leave {name}() out: read data before the run, and give results as outputs",
            )
        if name not in known:
            return ("unknown", name)
        return _identity(known[name], inner, name)

    names = free_names(tree)
    defaults = [_identity(v, inner, "a default") for v in function.__defaults__ or ()]
    given = (
        (function.__kwdefaults__ or {}) if path else {}
    )  # of the node's own function, the effective parameters are hashed
    keyword = sorted((k, _identity(v, inner, k)) for k, v in given.items())
    form = canonical_tree(
        tree, lambda name: ("free", names.index(name)) if name in names else ("unknown", name)
    )
    return ("function", form, [free(name) for name in names], defaults, keyword)


def _class(cls: type, path: list[Any]) -> object:
    inner = [*path, cls]
    members = []
    for name, value in sorted(vars(cls).items()):
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        plain = plain.fget if isinstance(plain, property) else plain
        if isinstance(plain, FunctionType):
            members.append((name, type(value).__name__, _identity(plain, inner, name)))
        elif not name.startswith("__"):
            members.append((name, "value", _identity(plain, inner, name)))
    bases = [_identity(base, inner, base.__name__) for base in cls.__bases__ if base is not object]
    return ("class", bases, members)


def _tree(function: FunctionType) -> ast.AST:
    """The syntax of a function, without its name and decorators."""
    place = f"code of {function.__name__}"
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise UserError(
            "its source cannot be read", place=place, cure="write it with def in a file or notebook cell"
        ) from None
    try:
        module = ast.parse(source)
    except SyntaxError:
        module = (
            ast.parse(f"({source.strip().rstrip(',')})")
            if source.strip().startswith("lambda")
            else ast.Module([], [])
        )
    code = function.__code__
    wanted = ast.Lambda if function.__name__ == "<lambda>" else (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [n for n in ast.walk(module) if isinstance(n, FUNCTIONS) and isinstance(n, wanted)]
    found = [
        n for n in found if [a.arg for a in _arguments(n)] == list(code.co_varnames[: len(_arguments(n))])
    ]
    if wanted is ast.Lambda and len(found) != 1:
        raise UserError("a lambda whose source cannot be told apart", place=place, cure="write it with def")
    if not found:
        raise UserError("its source cannot be read", place=place, cure="write it with def in a file")
    tree = found[0]
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
        tree.args.defaults, tree.args.kw_defaults = [], []
    return tree


def _arguments(tree: Any) -> list[ast.arg]:
    return [*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs]
