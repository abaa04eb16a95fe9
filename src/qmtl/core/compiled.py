"""The decorator of compiled code: numba's, with a cache on disk that knows what a function is made of.

numba looks at the file a function stands in, not at those of the functions and constants it was compiled with: after an
edit of `dd` the kernels that call it would go on with the old machine code, and wrong numbers. Here every entry of the
cache carries a fingerprint of its module and of all modules of the package that it imports, directly or not; an entry
with another one is not there. The rest is numba's: where the cache lies (beside the source; in the user's cache where
that is read-only; NUMBA_CACHE_DIR) and that another numba, Python or processor does not share it. Functions that are
not decorated here keep numba's own cache. See docs/decisions/0005-compiled-cache.md.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from typing import Any

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(qmtl[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|.*)|import[ \t]+(qmtl[\w.]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"\w+")


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As ``numba.njit``; with ``cache=True`` it keeps machine code for as long as the code it is made of."""
    import numba

    def decorate(function: Callable[..., Any]) -> Any:
        made: Any = numba.njit(**options | {"cache": False})(function)
        if options.get("cache") and not numba.config.DISABLE_JIT and fingerprint(function.__module__):
            try:
                made._cache = _cache_class()(function)
            except RuntimeError:  # no folder for a cache can be written: compiled anew by each process
                return made
        return made

    return decorate


@cache
def fingerprint(module: str) -> str:
    """Of the source of `module` and of the package's modules it imports; empty where a source is not to be had."""
    texts: dict[str, str | None] = {}
    ahead = [module]
    while ahead:
        name = ahead.pop()
        if name not in texts:
            texts[name], imported = _read(name)
            ahead += imported
    digest = blake2b(digest_size=16)
    for name, text in sorted(texts.items()):
        if text is None:
            return ""
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()


@cache
def _read(module: str) -> tuple[str | None, tuple[str, ...]]:
    """The source of a module, and the modules of the package that it names."""
    spec = find_spec(module)
    source = getattr(spec and spec.loader, "get_source", lambda name: None)(module)
    return source, () if source is None else tuple(dict.fromkeys(imported(source)))


def imported(source: str) -> Iterator[str]:
    """Modules of the package that a source imports. They are absolute in it; a parser would take ten times as long."""
    for package, names, module in _IMPORT.findall(source):
        yield package or module
        spec = find_spec(package) if package else None
        if spec is not None and spec.submodule_search_locations is not None:
            inner = (f"{package}.{name}" for name in _NAME.findall(names))
            yield from (name for name in inner if find_spec(name) is not None)


@cache
def _cache_class() -> Any:
    """numba's cache of a function, whose entries say what they were made of and are judged before they are unpacked."""
    from numba.core.caching import CompileResultCacheImpl, FunctionCache
    from numba.core.serialize import dumps

    class Entries(CompileResultCacheImpl):  # type: ignore[misc]
        def __init__(self, function: Callable[..., Any]) -> None:
            super().__init__(function)
            self._fingerprint = fingerprint(function.__module__)

        def reduce(self, data: Any) -> tuple[str, bytes]:
            return self._fingerprint, dumps(super().reduce(data))

        def rebuild(self, target_context: Any, payload: Any) -> Any:
            made_of, packed = payload[:2]
            if made_of != self._fingerprint:
                return None
            return super().rebuild(target_context, pickle.loads(packed))  # noqa: S301  numba's own file

    class Cache(FunctionCache):  # type: ignore[misc]
        _impl_class = Entries

    return Cache
