"""The environment that numbers are computed in: made the same for every run, and told (R3, R9).

Threads of numeric libraries are set to one: with several, sums of a matrix product are added in another order. Where a
library is loaded already (a notebook), its own switch is turned. What was set is in the log and in a run's manifest.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from types import FunctionType, ModuleType
from typing import Any

from qmtl.core.flow.fingerprint import Fingerprint

ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
WANTED = {**dict.fromkeys(ONE_THREAD, "1"), "MKL_CBWR": "COMPATIBLE"}
SETTERS = ("openblas_set_num_threads", "MKL_Set_Num_Threads")
GETTERS = ("openblas_get_num_threads", "MKL_Get_Max_Threads")

_log = logging.getLogger("qmtl.environment")


def normalise() -> dict[str, str]:
    """Set what numeric libraries read when they start, and their threads where they have; returns what is set.

    Variables that say something else are overruled: a run must not depend on the shell it was started from.
    """
    overruled = {
        name: os.environ[name] for name in WANTED if os.environ.get(name, WANTED[name]) != WANTED[name]
    }
    os.environ.update(WANTED)
    turned = [name for name in _loaded() if _call(name, SETTERS, 1) is not None]
    found = {**WANTED, "threads set": ", ".join(map(os.path.basename, turned)) or "by environment"}
    if overruled:
        found["overruled"] = ", ".join(f"{name}={value}" for name, value in sorted(overruled.items()))
    _log.info("environment: %s", "; ".join(f"{name}={value}" for name, value in found.items()))
    return found


@cache
def fingerprint() -> Fingerprint:
    """That of this process, which it makes the same as all others first."""
    normalise()
    import numpy as np

    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    libc = "-".join(platform.libc_ver()) or "unknown"
    return Fingerprint(
        (
            ("python", platform.python_version()),
            ("numpy", np.__version__),
            ("numba", version("numba")),
            ("llvmlite", version("llvmlite")),
            ("qmtl", version("qmtl")),
            ("blas", f"{built['name']}-{built['version']},threads={threads()}"),
            ("denormals", "kept" if np.float64(5e-324) * np.float64(1.0) > 0 else "flushed"),
            ("cpu", f"{platform.machine()},{_features()}"),
            ("os", platform.system()),
            ("libc", libc),
        )
    )


def threads() -> int:
    """How many threads the loaded BLAS uses; 1 where it does not say."""
    answers = [_call(name, GETTERS) for name in _loaded()]
    return max((each for each in answers if each is not None), default=1)


@cache
def packages_of(function: Callable[..., Any]) -> dict[str, str]:
    """Versions of the installed packages that a function's code names, directly or through functions beside it."""
    found: dict[str, str] = {}
    ahead, seen = [function], set[int]()
    while ahead:
        one = ahead.pop()
        if not isinstance(one, FunctionType) or id(one) in seen:
            continue
        seen.add(id(one))
        for name in one.__code__.co_names:
            value = one.__globals__.get(name)
            if isinstance(value, FunctionType) and value.__module__ == one.__module__:
                ahead.append(value)
                continue
            module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
            top = module.partition(".")[0] if isinstance(module, str) else ""
            if top and top not in sys.stdlib_module_names and top != "qmtl":
                found |= _versions(top)
    return found


@cache
def _versions(top: str) -> dict[str, str]:
    found = {}
    for name in packages_distributions().get(top, ()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _features() -> str:
    """The widest vector extension in use, and whether multiplication and addition are fused: these change bits."""
    try:
        has = import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return platform.processor()
    wide = next(
        (name for name in ("AVX512_SKX", "AVX512F", "AVX2", "ASIMD", "SSE42") if has.get(name)), "baseline"
    )
    fused = has.get("FMA3") or has.get("ASIMDFHM") or has.get("ASIMD")
    return f"{wide.lower()}{'+fma' if fused else ''}"


def _loaded() -> list[str]:
    """Shared libraries of this process that are a BLAS with threads."""
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps:
            paths = {line.split()[-1] for line in maps if ".so" in line}
    except OSError:
        return []
    return sorted(
        path for path in paths if any(part in os.path.basename(path) for part in ("openblas", "mkl_rt"))
    )


def _call(library: str, names: tuple[str, ...], *args: int) -> int | None:
    """Calls the first of these functions that the library has, under any of the names OpenBLAS is built with."""
    loaded = ctypes.CDLL(library)
    for name in names:
        for full in (name, f"{name}64_", f"scipy_{name}", f"scipy_{name}64_"):
            function = getattr(loaded, full, None)
            if function is not None:
                return int(function(*args))
    return None
