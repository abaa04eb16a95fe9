"""What an engine is fed: columns of arrivals, and what it remembers of each source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from qmtl.core.flow.entry import BarEntry, TickEntry
from qmtl.core.flow.timeline import FOREVER, NEVER
from qmtl.core.graph.ir import TickIdentity

Array = np.ndarray[Any, Any]
EVENT, CLOCK_TICK, FINISHED = 0, 1, 2


class Arrivals(Protocol):
    """Columnar arrivals, in order. `source` indexes the engine's sources; `row` the source's own tables."""

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
    def event_id(self) -> Sequence[Any]: ...
    @property
    def revision(self) -> Sequence[Any]: ...


@dataclass(slots=True)
class Source:
    """One source as data knows it, and the entries that read it (streams may differ in their settings)."""

    bars: list[BarEntry]
    ticks: list[TickEntry]
    tick_numbers: list[int]
    idle_timeout: int | None
    interval: int | None
    origin: int
    top: int = NEVER  # the largest bar end, or tick time, that arrived in order
    last_arrival: int = 0
    idle: bool = False
    finished: bool = False
    position: int = 0
    skew: int = FOREVER // 2  # E13: how far ahead of its arrival an event may lie


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
