"""`code_hash`: what a function computes, as a digest of its source's meaning and of everything it uses.

Captured values, module constants and default arguments enter by value, the author's own functions and classes by their
code, transitively (also where a module is named before them, ``helpers.scale``); installed packages by name, since
their versions belong to the runtime fingerprint. A package installed for editing is the author's own.
"""

from __future__ import annotations

import builtins
import functools
import hashlib
import sys
import sysconfig
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.graph.canonical import canonical_bytes
from qmtl.sdk.code_source import meaning_of

IMPURE_NAMES = frozenset({"open", "input", "eval", "exec", "compile", "globals", "__import__", "print"})
IMPURE_MODULES = frozenset(
    [
        "http",
        "io",
        "os",
        "pathlib",
        "random",
        "requests",
        "secrets",
        "socket",
        "subprocess",
        "time",
        "urllib",
        "uuid",
    ]
)
INSTALLED = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib"))
PACKAGES = ("site-packages", "dist-packages")

Path = list[Any]  # what is being read, outermost first: what refers to itself is told by its depth


def code_hash(function: Any) -> str:
    """SHA-256 (hex). Raises :class:`UserError` naming what cannot be hashed soundly, with the cure."""
    return hashlib.sha256(canonical_bytes(_identity(function, [], "the function"))).hexdigest()


def _identity(value: Any, path: Path, name: str) -> object:
    """What a name stands for, as plain values."""
    for depth, seen in enumerate(path):
        if seen is value:
            return ("recursion", depth)
    if isinstance(value, functools.partial):
        parts = [value.func, *value.args, *(v for _, v in sorted(value.keywords.items()))]
        return ("partial", sorted(value.keywords), [_identity(one, path, name) for one in parts])
    if isinstance(value, ModuleType):
        return _module(value, name)
    if isinstance(value, MethodType):
        return ("method", _identity(value.__func__, path, name), _identity(value.__self__, path, name))
    if isinstance(value, BuiltinFunctionType) or (isinstance(value, type) and value.__module__ == "builtins"):
        owner = getattr(value, "__self__", None)
        _pure(value.__module__ or type(owner).__module__, name)
        return ("builtin", value.__qualname__)
    if callable(value) and _is_installed(sys.modules.get(getattr(value, "__module__", None) or "")):
        _pure(value.__module__, name)
        return ("installed", value.__module__, getattr(value, "__qualname__", type(value).__qualname__))
    if isinstance(value, FunctionType) and _is_library(
        value.__code__.co_filename
    ):  # a wrapper made by a library
        wrapped = getattr(value, "__wrapped__", None)
        told = wrapped is not None and not _is_generated(wrapped)
        return ("wrapped", value.__code__.co_qualname, _identity(wrapped, path, name) if told else None)
    if isinstance(value, FunctionType):
        return _function(value, path)
    if isinstance(value, type):
        return _class(value, path)
    if callable(value) and hasattr(value, "__wrapped__"):  # functools.cache and the like
        return ("wrapped", type(value).__qualname__, _identity(value.__wrapped__, path, name))
    if isinstance(value, list | dict | set | bytearray) or type(value).__module__ == "numpy":
        return _changing(value, name)
    return ("value", canonical_bytes(value, name))


def _changing(value: Any, name: str) -> object:
    if type(value).__module__ == "numpy" and not hasattr(value, "__setitem__"):
        return ("value", canonical_bytes(value.item(), name))
    raise UserError(
        f"{name!r} can change while the strategy runs, so it cannot be part of an id",
        place="code of the node",
        value=type(value).__name__,
        cure="make it a tuple, or pass it as a parameter",
    )


def _pure(module: str, name: str) -> None:
    if module.split(".", maxsplit=1)[0].removeprefix("_") in IMPURE_MODULES or module == "posixpath":
        raise UserError(
            "a node is a pure function of its inputs",
            place="code of the node",
            value=name,
            cure=f"leave {module} out: time comes as the view's bucket, numbers as parameters",
        )


def _module(module: ModuleType, name: str) -> object:
    _pure(module.__name__, name)
    if _is_installed(module):
        return ("module", module.__name__)
    raise UserError(
        "a module of yours is used as a whole, so what is used of it cannot be told",
        place="code of the node",
        value=name,
        cure=f"name what you use of it: {name}.something, or from {module.__name__} import something",
    )


def _is_installed(module: ModuleType | None) -> bool:
    """Whether a module comes with Python or from an installed package (qmtl is one, however it is installed)."""
    if (
        module is None or module.__name__ == "__main__"
    ):  # a notebook's __main__ is the file that started its kernel
        return False
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ in sys.builtin_module_names or getattr(module, "__path__", None) is not None
    return _is_library(file) or module.__name__.split(".")[0] == "qmtl"


def _is_generated(value: Any) -> bool:
    """Whether a function was made from text, as dataclass makes methods."""
    return isinstance(value, FunctionType) and value.__code__.co_filename.startswith("<string")


def _is_library(file: str) -> bool:
    inside = any(f"/{part}/" in file.replace("\\", "/") for part in PACKAGES)
    return inside or file.startswith((*INSTALLED, "<frozen "))


def _function(function: FunctionType, path: Path) -> object:
    said, inner = meaning_of(function), [*path, function]
    if said.changed:
        raise UserError(
            "it changes what lies outside of it",
            place=f"code of {function.__name__}",
            value=said.changed[0],
            cure="return the value; a node keeps nothing from one call to the next",
        )
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    inside = {name: cell.cell_contents for name, cell in cells if _filled(cell)}
    known = ChainMap(inside, function.__globals__, vars(builtins))  # no copy: a module may be large
    free = [_free(function, chain, known, inner, chain[0] in said.optional) for chain in said.free]
    imports = [_imported(dotted, level, function.__globals__, inner) for dotted, level in said.imports]
    defaults = [_identity(v, inner, "a default") for v in function.__defaults__ or ()]
    given = (function.__kwdefaults__ or {}) if path else {}  # the node's own are its effective parameters
    keyword = sorted((k, _identity(v, inner, k)) for k, v in given.items())
    return ("function", said.digest, free, imports, defaults, keyword)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:  # a name that is bound later, or never
        return False
    return True


def _free(
    function: FunctionType, chain: tuple[str, ...], known: Mapping[str, Any], path: Path, optional: bool
) -> object:
    """What a free name, with the attributes read from it, stands for."""
    name = chain[0]
    if name not in known:
        return ("unknown", name)
    value = known[name]
    if name in IMPURE_NAMES and value is getattr(builtins, name, None):
        raise UserError(
            "a node is a pure function of its inputs",
            place=f"code of {function.__name__}",
            value=name,
            cure=f"leave {name}() out: read data before the run, and give results as outputs",
        )
    return _member(value, chain[1:], path, name) if not optional else ("optional", name)


def _member(value: Any, attributes: tuple[str, ...], path: Path, name: str) -> object:
    """The first thing in ``module.package.thing`` that is no module."""
    while isinstance(value, ModuleType) and attributes:
        _pure(value.__name__, name)
        if _is_installed(value):
            return ("installed", value.__name__, *attributes)
        name, attributes = f"{name}.{attributes[0]}", attributes[1:]
        try:
            value = getattr(value, name.rpartition(".")[2])
        except AttributeError:
            return ("unknown", name)
    return _identity(value, path, name)


def _imported(dotted: str, level: int, namespace: Mapping[str, Any], path: Path) -> object:
    """What an import within the function brings."""
    absolute = dotted
    if level:
        package = str(namespace.get("__package__") or "").split(".")
        absolute = ".".join([*package[: len(package) - level + 1], dotted])
    _pure(absolute, absolute)
    parts = absolute.split(".")
    for count in range(len(parts), 0, -1):
        try:
            module = import_module(".".join(parts[:count]))
        except ImportError:
            continue
        if not parts[count:]:
            return ("module", absolute) if _is_installed(module) else _module(module, absolute)
        return _member(module, tuple(parts[count:]), path, ".".join(parts[:count]))
    return ("unknown", absolute)


def _class(cls: type, path: Path) -> object:
    inner = [*path, cls]
    if issubclass(cls, Enum):
        return ("enum", [(one.name, _identity(one.value, inner, one.name)) for one in cls])
    members: list[object] = []
    for name, value in sorted(vars(cls).items()):
        plain = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        plain = plain.fget if isinstance(plain, property) else plain
        plain = plain.func if isinstance(plain, functools.cached_property) else plain
        if isinstance(plain, FunctionType):
            if not plain.__code__.co_filename.startswith(
                "<string"
            ):  # made by dataclass from the fields below
                members.append((name, type(value).__name__, _identity(plain, inner, name)))
        elif not name.startswith("_") and type(plain).__name__ not in ("member_descriptor", "_tuplegetter"):
            members.append((name, "value", _identity(plain, inner, name)))
    bases = [_identity(base, inner, base.__name__) for base in cls.__bases__ if base is not object]
    made = [(f.name, f.init, f.kw_only) for f in fields(cls)] if is_dataclass(cls) else []
    made += [(name, True, False) for name in getattr(cls, "_fields", ())] if issubclass(cls, tuple) else []
    return ("class", bases, members, made)
