"""Kernels by module and name, loaded (and then compiled) only when a plan needs them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from qmtl.core.flow.kernel import Kernel, KernelKind


@cache
def loader(path: str) -> Callable[[], Callable[..., Any]]:
    """What loads the compiled function ``module:name`` of this package."""
    module, _, name = path.partition(":")

    def load() -> Callable[..., Any]:
        return getattr(import_module(f"qmtl.ops.{module}"), name)  # type: ignore[no-any-return]

    return load


def window(path: str, code: int, rows: int, *args: float) -> Kernel:
    """A WINDOW kernel: parameters are (code, rows, …)."""
    return Kernel(KernelKind.WINDOW, loader(path), (float(code), float(rows), *map(float, args)), rows)


def scan(path: str, code: int, rows: int, words: int, *args: float) -> Kernel:
    """A SCAN kernel: parameters are (code, …)."""
    return Kernel(KernelKind.SCAN, loader(path), (float(code), *map(float, args)), rows, words)


def elementwise(path: str, *args: float, may_null: bool = False) -> Kernel:
    """A MAP kernel."""
    return Kernel(KernelKind.MAP, loader(path), tuple(map(float, args)), may_null=may_null)
