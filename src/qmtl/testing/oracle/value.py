"""Values and what a node's function makes of its windows.

A function sees, for every input by name, the rows of its window as ``(time, value)``, oldest first; where
an optional input has no value at a row, the row is there with NaN. It answers a float or None, or raises.

======================  ===============================================================================
``total``               the sum of all values that are not NaN (0 where there are none)
``sum``                 the sum of all values; NaN if one is NaN
``count``               how many values are not NaN
``last``                the newest value of the first input that shows a row at all, else NaN
``floor_mean``          the mean of the values that are not NaN, rounded down to a whole number; NaN if none
``none_if_negative``    the total; no value where it is negative
``raise_if_ends_in_3``  the total; raises where it leaves 3 when divided by 10
``ema``                 scan over the rows of its one input (rows ``n``): the first value, then
                        ``(x - s) * (2/(n + 1)) + s``
``cumsum``              scan: the sum of all rows so far
``cummax``              scan: the greatest of all rows so far
======================  ===============================================================================

The three scans answer NaN at a row that is NaN and keep their state there.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

Row = tuple[int, float]
View = dict[str, list[Row]]


def same_bits(a: float | None, b: float | None) -> bool:
    """Equal to the last bit; every NaN is the same NaN, 0.0 and -0.0 are not the same (reading 10)."""
    if a is None or b is None:
        return a is b
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return struct.pack("<d", a) == struct.pack("<d", b)


def _values(view: View) -> list[float]:
    return [value for rows in view.values() for _, value in rows]


def _known(view: View) -> list[float]:
    return [value for value in _values(view) if not math.isnan(value)]


def _total(view: View) -> float:
    return math.fsum(_known(view))


def _sum(view: View) -> float:
    values = _values(view)
    return math.nan if any(map(math.isnan, values)) else math.fsum(values)


def _count(view: View) -> float:
    return float(len(_known(view)))


def _last(view: View) -> float:
    for rows in view.values():
        if rows:
            return rows[-1][1]
    return math.nan


def _floor_mean(view: View) -> float:
    known = _known(view)
    return float(math.floor(math.fsum(known) / len(known))) if known else math.nan


def _none_if_negative(view: View) -> float | None:
    total = _total(view)
    return None if total < 0 else total


class FunctionError(Exception):
    """A node's function raised."""


def _raise_if_ends_in_3(view: View) -> float:
    total = _total(view)
    if total % 10 == 3:
        raise FunctionError(f"{total} leaves 3 when divided by 10")
    return total


WINDOW_FUNCTIONS: dict[str, Callable[[View], float | None]] = {
    "total": _total,
    "sum": _sum,
    "count": _count,
    "last": _last,
    "floor_mean": _floor_mean,
    "none_if_negative": _none_if_negative,
    "raise_if_ends_in_3": _raise_if_ends_in_3,
}


def _ema_step(state: float, value: float, n: int) -> float:
    return (value - state) * (2 / (n + 1)) + state


def _sum_step(state: float, value: float, n: int) -> float:
    return state + value


def _max_step(state: float, value: float, n: int) -> float:
    return max(state, value)


SCAN_STEPS: dict[str, Callable[[float, float, int], float]] = {
    "ema": _ema_step,
    "cumsum": _sum_step,
    "cummax": _max_step,
}


def scan(function: str, n: int, values: list[float]) -> float:
    """What a scan function answers at the last of all the rows there have been."""
    step = SCAN_STEPS[function]
    state: float | None = None
    answer = math.nan
    for value in values:
        if math.isnan(value):
            answer = math.nan
        else:
            answer = state = value if state is None else step(state, value, n)
    return answer
