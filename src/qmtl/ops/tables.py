"""Short forms in which the families write their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qmtl.core.flow.kernel import Kernel
from qmtl.ops import loading
from qmtl.ops.loading import scan, window
from qmtl.ops.registry import Operator, Param, rows_param

TA = "TA-Lib"
HLC = ("high", "low", "close")
N = rows_param()
SEED = Param(
    "seed", str, "first", choices=("first", "sma"), doc="its first value, or the mean of the first n (TA-Lib)"
)

Given = Mapping[str, Any]


def sums(code: int, rows: str = "n", *args: str) -> Callable[[Given], Kernel]:
    """A window operator made of sums."""
    return lambda given: loading.sums(code, given[rows], *(given[name] for name in args))


def statistics(code: int, *args: str) -> Callable[[Given], Kernel]:
    """A statistic of the gathered window of n rows."""
    return lambda given: window(
        "direct_kernels:statistics", code, given["n"], *(given[name] for name in args)
    )


def extremes(code: int, more: int = 0, *args: str) -> Callable[[Given], Kernel]:
    """A formula over n + `more` rows."""
    return lambda given: window(
        "direct_kernels:extremes", code, given["n"] + more, *(given[name] for name in args)
    )


def averaging(
    code: int, rows: Callable[[Given], int], words: Callable[[Given], int], *args: str
) -> Callable[[Given], Kernel]:
    """A scan of averages; `seed` enters as 1 for the mean of the first n."""

    def made(given: Given) -> Kernel:
        values = [float(given[name] == "sma") if name == "seed" else given[name] for name in args]
        return scan("scan_kernels:averaging", code, rows(given), words(given), *values)

    return made


def ranging(code: int, rows: Callable[[Given], int], words: int, *args: str) -> Callable[[Given], Kernel]:
    """A scan over true ranges."""
    return lambda given: scan(
        "scan_kernels:ranging", code, rows(given), words, *(given[name] for name in args)
    )


def operator(
    family: str,
    name: str,
    doc: str,
    kernel: Callable[[Given], Kernel],
    *params: Param,
    inputs: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("value",),
    source: str = TA,
    stream: bool = False,
    cross: bool = False,
) -> Operator:
    """One row of a family's table."""
    return Operator(name, inputs, outputs, params, doc, source, family, kernel, stream, cross)
