"""What is known of a node at a moment: what it closed, what it recorded, and what it emitted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from qmtl.testing.oracle.case import FOREVER, NEVER
from qmtl.testing.oracle.entry import Entry


class NodeState:
    """A node that others can read: a bar stream or a computed node.

    `records` holds the latest version of every bucket that was ever recorded: ``(version, value)``, with None
    for a gap, a withdrawn value or a failure. `values` holds those that are values. `changed` lists the
    buckets whose record moved in the current step.
    """

    def __init__(self, interval: int) -> None:
        self.interval = interval
        self.wm: float = NEVER
        self.closed: float = NEVER  # the end of the last bucket closed
        self.idle = False
        self.halted_from: float = FOREVER  # buckets at or after it have no record because the node halted
        self.records: dict[int, tuple[int, float | None]] = {}
        self.values: dict[int, float] = {}
        self.changed: list[int] = []
        self.emissions: list[dict[str, Any]] = []

    @property
    def frontier(self) -> float:
        """E2, as its readers see it."""
        return FOREVER if self.wm == FOREVER else self.closed

    @property
    def halted(self) -> bool:
        return self.halted_from < FOREVER

    def halt(self) -> None:
        """E6: from now on buckets close without a record."""
        self.halted_from = max(self.records) + self.interval

    def never_recorded(self, bucket: int) -> bool:
        """No version was ever recorded there, and not because the node had halted when the bucket closed."""
        closed_by_halted = self.halted_from <= bucket and bucket + self.interval <= self.closed
        return bucket not in self.records and not closed_by_halted

    def record(self, bucket: int, value: float | None) -> int:
        """A new version of a bucket; returns its number."""
        version = self.records[bucket][0] + 1 if bucket in self.records else 0
        self.records[bucket] = (version, value)
        if value is None:
            self.values.pop(bucket, None)
        else:
            self.values[bucket] = value
        self.changed.append(bucket)
        return version

    def advance(self, wm: float, end: float, hits: Counter[str]) -> float:
        """E3, E4: the watermark moves up to `wm`, never back. Returns the end of what was closed before."""
        if wm < self.wm:
            hits["E3.never_back"] += 1
        before, self.wm = self.closed, max(self.wm, wm)
        limit = min(self.wm, end)
        if limit == FOREVER:
            raise ValueError("every bucket would close: the case needs an end")
        if limit > NEVER:  # buckets before the first one close too, nothing comes of them
            self.closed = max(self.closed, limit // self.interval * self.interval)
        if self.closed > before:
            hits["E4.equality_closes" if self.closed == self.wm else "E4.past_the_end"] += 1
        return before


class SourceState:
    """The largest event time, the last arrival and the idleness of a source."""

    def __init__(self) -> None:
        self.frontier: float = NEVER
        self.last_arrival = 0
        self.idle = False
        self.arrived = 0


class World:
    """Everything known at one moment."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.sources: dict[str, SourceState] = {}
        self.nodes: dict[str, NodeState] = {}
        self.entries: dict[str, Entry] = {}  # "stream" for bars, "stream>reader" for ticks

    def ticks(self, source: str, reader: str) -> list[tuple[int, float]]:
        """The events of a tick stream as one reader stored them, in order of (time, event id)."""
        stored = self.entries[f"{source}>{reader}"].stored.values()
        return [(s.ts, s.value) for s in sorted(stored, key=lambda s: (s.ts, s.order))]
