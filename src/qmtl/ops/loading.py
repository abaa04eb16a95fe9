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


def window(path: str, code: int, rows: int, *args: float, memo_rows: int = 0) -> Kernel:
    """A WINDOW kernel: parameters are (code, rows, …)."""
    given = (float(code), float(rows), *map(float, args))
    return Kernel(KernelKind.WINDOW, loader(path), given, rows, memo_rows=memo_rows)


def sums(code: int, rows: int, *args: float) -> Kernel:
    """A WINDOW kernel of sums: one sum (codes 0 and 1), two, or the five of pairs (from 10 on); see sums_kernels."""
    kinds = 5 if code >= 10 else 1 if code < 2 else 2
    return window("sums_kernels:sums", code, rows, *args, memo_rows=9 + 2 * kinds * (rows + 1))


def scan(path: str, code: int, rows: int, words: int, *args: float) -> Kernel:
    """A SCAN kernel: parameters are (code, …)."""
    return Kernel(KernelKind.SCAN, loader(path), (float(code), *map(float, args)), rows, words)


def elementwise(path: str, *args: float, may_null: bool = False) -> Kernel:
    """A MAP kernel."""
    return Kernel(KernelKind.MAP, loader(path), tuple(map(float, args)), may_null=may_null)
