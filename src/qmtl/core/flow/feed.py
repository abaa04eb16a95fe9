"""What an engine is fed: columns of arrivals, and what it remembers of each source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from qmtl.core.flow import layout
from qmtl.core.flow.entry import BarEntry, TickEntry
from qmtl.core.flow.timeline import FOREVER, NEVER
from qmtl.core.graph.ir import TickIdentity

Array = np.ndarray[Any, Any]
EVENT, CLOCK_TICK, FINISHED = 0, 1, 2


class Arrivals(Protocol):
    """Columnar arrivals, in order. `source` indexes the engine's sources; `row` the source's own tables.

    Where `flat` is not None, it is the one table of all sources, and `values` is not looked at. `revision` may be
    empty: then there are none.
    """

    @property
    def kind(self) -> Array: ...
    @property
    def source(self) -> Array: ...
    @property
    def event_ns(self) -> Array: ...
    @property
    def available_ns(self) -> Array: ...
    @property
    def row(self) -> Array: ...
    @property
    def values(self) -> Sequence[Array]: ...
    @property
    def flat(self) -> Array | None: ...
    @property
    def event_id(self) -> Sequence[Any]: ...
    @property
    def revision(self) -> Sequence[Any]: ...


class Row:
    """Arrivals: one bar of every source, in their order; `values` has a row per field, a column per source."""

    values: Sequence[Array] = ()
    event_id: Sequence[Any] = ()
    revision: Sequence[Any] = ()

    def __init__(self, event_ns: int, available_ns: int, values: Array) -> None:
        count = values.shape[1]
        self.kind, self.source = np.zeros(count, np.uint8), np.arange(count, dtype=np.int32)
        self.event_ns, self.available_ns = np.full(count, event_ns), np.full(count, available_ns)
        self.row, self.flat = np.arange(count), np.ascontiguousarray(values.T)


class _Field:
    """A number in the row of a table that compiled code reads too."""

    def __init__(self, column: int) -> None:
        self._column = column

    def __get__(self, owner: Source, kind: type | None = None) -> int:
        return int(owner.fields[self._column])

    def __set__(self, owner: Source, value: int) -> None:
        owner.fields[self._column] = value


class Source:
    """One source as data knows it, and the entries that read it (streams may differ in their settings)."""

    top = _Field(layout.S_TOP)  # the largest bar end, or tick time, that arrived in order
    last_arrival = _Field(layout.S_LAST)
    position = _Field(layout.S_POSITION)
    idle = _Field(layout.S_IDLE)
    finished = _Field(layout.S_FINISHED)
    interval = _Field(layout.S_INTERVAL)  # 0: ticks
    skew = _Field(layout.S_SKEW)  # E13: how far ahead of its arrival an event may lie
    origin = _Field(layout.S_ORIGIN)  # the latest of its entries

    def __init__(
        self, bars: list[BarEntry], ticks: list[TickEntry], tick_numbers: list[int], idle_timeout: int | None
    ) -> None:
        self.bars, self.ticks, self.idle_timeout = bars, ticks, idle_timeout
        self.tick_numbers = np.array(tick_numbers, np.int64)
        self.fields = np.zeros(layout.S_FIELDS, np.int64)
        entries = [(e.origin, e.settings) for e in bars] + [(e.origin, e.settings) for e in ticks]
        skews = [s.max_future_skew_ns for _, s in entries if s.max_future_skew_ns is not None]
        self.top, self.skew = NEVER, min(skews, default=FOREVER // 2)
        self.origin = max((origin for origin, _ in entries), default=NEVER)
        self.interval = bars[0].group.interval if bars else 0
        self.fields[layout.S_TICKS] = self.tick_numbers.ctypes.data
        self.fields[layout.S_TICK_COUNT] = len(tick_numbers)


def identity_of(
    entry: TickEntry, batch: Arrivals, number: int, at: int, ts: int, position: int
) -> tuple[Any, Any]:
    """(identity, order within a time) of a tick: E7."""
    if entry.settings.identity is TickIdentity.EVENT_TS:
        return ts, 0
    ids = batch.event_id[number]
    if ids is None or entry.settings.identity is TickIdentity.POSITION:
        return position, position
    identity = ids[batch.row[at]]
    identity = identity.item() if isinstance(identity, np.generic) else identity
    return (position, position) if identity is None else (identity, identity)
