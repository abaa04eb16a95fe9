"""A timeline: the storage of all nodes of one interval, one row per bucket.

Rows are consecutive buckets, so `row = (bucket - base) / interval` and nothing is searched. Values of all nodes
lie in one array ``V[row, cell]``; statuses and counts are small planes per group that grow with it.
See docs/decisions/0002-rows-are-consecutive-buckets.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from qmtl.core.errors import UserError
from qmtl.core.flow.layout import T_BASE, T_FIELDS, T_ROWS

NEVER = np.iinfo(np.int64).min  # minus infinity of event time
FOREVER = np.iinfo(np.int64).max  # plus infinity
ROW_LIMIT = 50_000_000  # 95 years of minutes: beyond it a timestamp is almost surely wrong

COPY = 32  # rows between copies of a scan's state; row 0 is a multiple of it, so copies keep their buckets

# Status of one cell (row, lane) of one group.
NONE, VALUE, GAP, FAILED, NULL, PENDING, HALTED = range(7)


def floor_to(ts: int, interval: int) -> int:
    """E1: the bucket of `ts`, floor toward minus infinity."""
    return ts // interval * interval


class Timeline:
    """Rows ``[base, base + rows * interval)`` and the planes that grow with them."""

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.fields = np.zeros(
            T_FIELDS, np.int64
        )  # what compiled code sees; `rows` and `base` live here alone
        self.moved: Callable[[], None] = lambda: None  # called when the arrays have moved
        self.width = 0
        self.V: NDArray[np.float64] = np.zeros((0, 0))
        self.bucket: NDArray[np.int64] = np.zeros(0, np.int64)
        self.planes: list[NDArray[np.generic]] = []
        self.copies: list[NDArray[np.float64]] = []

    @property
    def base(self) -> int:
        """The bucket of row 0, ns."""
        return int(self.fields[T_BASE])

    @property
    def rows(self) -> int:
        return int(self.fields[T_ROWS])

    def cells(self, count: int) -> int:
        """Reserve `count` value cells per row; returns the offset of the first."""
        at = self.width
        self.width += count
        return at

    def plane(self, lanes: int, dtype: type) -> int:
        """Reserve a plane of one cell per row and lane; returns its index in `planes`."""
        self.planes.append(np.zeros((0, lanes), dtype))
        return len(self.planes) - 1

    def copy(self, cells: int) -> int:
        """Reserve a plane for copies of a scan's state, one row before every `COPY` rows; its index in `copies`."""
        self.copies.append(np.zeros((0, cells)))
        return len(self.copies) - 1

    def row(self, bucket: int) -> int:
        """The row of a bucket; may lie outside ``[0, rows)``."""
        return (bucket - self.base) // self.interval

    def ensure(self, first: int, last: int) -> None:
        """Make rows for buckets ``first..last`` (inclusive). Amortised O(1) a row at the end.

        Raises :class:`UserError` when the span is beyond `ROW_LIMIT` rows.
        """
        if self.rows == 0:
            self.fields[T_BASE] = first = floor_to(first, COPY * self.interval)
        first = floor_to(first, COPY * self.interval)
        low, high = min(first, self.base), max(last, self.base + (self.rows - 1) * self.interval)
        rows = (high - low) // self.interval + 1
        if rows > ROW_LIMIT:
            raise UserError(
                f"the data spans {rows:,} buckets",
                place=f"interval {self.interval} ns",
                value=rows,
                cure="look for a wrong timestamp, or use a longer interval",
            )
        shift = (self.base - low) // self.interval if self.rows else 0
        if shift or rows > len(self.bucket):
            self._move(rows if shift == 0 else rows + shift, shift)
            self.fields[T_BASE] = low
            self.bucket = low + self.interval * np.arange(len(self.V), dtype=np.int64)
            self.moved()
        self.fields[T_ROWS] = max(rows, self.rows + shift)

    def reserve(self, first: int, last: int, touch: bool = False) -> None:
        """Room for buckets ``first..last``, so that a run of known length never moves. Pages unused cost nothing.

        `touch` asks the system for all of it now, so that no arrival has to wait for a page.
        """
        rows = max(self.rows, 1)
        self.ensure(first, last)
        self.fields[T_ROWS] = rows
        for array in (self.V, *self.planes) if touch else ():
            array[rows:] = 0
        for copies in self.copies if touch else ():
            copies[-(-rows // COPY) :] = 0

    def _move(self, rows: int, shift: int) -> None:
        capacity = max(256, -(-(rows + rows // 2) // COPY) * COPY)

        def grown(old: NDArray[np.generic], width: int) -> NDArray[np.generic]:
            new = np.zeros((capacity, width), old.dtype)
            if self.rows:
                new[shift : shift + self.rows] = old[: self.rows]
            return new

        self.V = grown(self.V, self.width)  # type: ignore[assignment]
        self.planes = [grown(plane, plane.shape[1]) for plane in self.planes]
        copies = [np.zeros((capacity // COPY, old.shape[1])) for old in self.copies]
        for new, old in zip(copies, self.copies, strict=True):
            kept = min(len(old), -(-self.rows // COPY))
            new[shift // COPY : shift // COPY + kept] = old[:kept]
        self.copies = copies
