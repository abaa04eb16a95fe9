"""Entries: where external events arrive, and the only place one can be late, dropped or held (E7–E10, E13, E14)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import NONE, PENDING, VALUE
from qmtl.core.graph.ir import EventTime, OnLate


class Fate(StrEnum):
    """What became of an arrival; E14 counts each in exactly one."""

    USED = "used"
    DUPLICATE = "duplicate"
    LATE = "late_dropped"
    SIDE_OUTPUT = "side_output"
    TOO_LATE = "too_late"
    BEFORE_ORIGIN = "before_origin"
    QUARANTINED = "quarantined"


FATES = tuple(Fate)


def tally() -> np.ndarray:
    """Counts of arrivals, then of each fate (E14)."""
    return np.zeros(1 + len(FATES), np.int64)


class Counted:
    """An entry that counts its arrivals."""

    __slots__ = ()
    counts: np.ndarray

    @property
    def counters(self) -> dict[str, int]:
        """`arrivals`, and how many met each fate."""
        names = ("arrivals", *(fate.value for fate in FATES))
        return dict(zip(names, self.counts.tolist(), strict=True))

    def count(self, fate: Fate) -> None:
        self.counts[0] += 1
        self.counts[1 + FATES.index(fate)] += 1


def from_the_future(settings: EventTime, ts: int, ingest_ns: int) -> bool:
    """E13: further ahead of the clock it was ingested by (its arrival time) than the stream allows."""
    return settings.max_future_skew_ns is not None and ts > ingest_ns + settings.max_future_skew_ns


def judge_late(settings: EventTime, closing_point: int, watermark: int) -> Fate:
    """E8 and E9 for an event that is neither a duplicate nor before the origin."""
    if closing_point > watermark:
        return Fate.USED
    if settings.on_late is OnLate.IGNORE:
        return Fate.LATE
    if settings.on_late is OnLate.SIDE_OUTPUT:
        return Fate.SIDE_OUTPUT
    horizon = settings.allowed_lateness_ns
    if horizon is not None and closing_point + horizon <= watermark:
        return Fate.TOO_LATE
    return Fate.USED


def keep_greater(revisions: dict[Any, int], identity: Any, revision: int | None) -> None:
    """Reading 20: a duplicate with a greater number leaves that number behind."""
    if revision is not None and identity in revisions:
        revisions[identity] = max(revisions[identity], revision)


def overtaken(revisions: dict[Any, int], identity: Any, revision: int | None) -> bool:
    """Whether another value of `identity` has a lesser revision than the one stored (reading 20)."""
    return revision is not None and revision < revisions.get(identity, revision)


def remember(revisions: dict[Any, int], identity: Any, revision: int | None) -> None:
    """The revision of what is stored now; one without a number forgets that of its predecessor."""
    if revision is None:
        revisions.pop(identity, None)
    else:
        revisions[identity] = revision


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bits, every NaN the same NaN (reading 10)."""
    x, y = np.ascontiguousarray(a, np.float64), np.ascontiguousarray(b, np.float64)
    return bool(np.all((x.view(np.int64) == y.view(np.int64)) | ((x != x) & (y != y))))


@dataclass(slots=True)
class BarEntry(Counted):
    """The entry of one bar stream: lane `lane` of a BARS group, with its own clock."""

    group: Group
    lane: int
    clock: int
    settings: EventTime
    origin: int
    take: np.ndarray  # which of the source's columns are its fields
    counts: np.ndarray = field(default_factory=tally)
    held: dict[int, list[np.ndarray]] = field(default_factory=dict)  # delivered to the side output
    revisions: dict[int, int] = field(default_factory=dict)

    def judge(
        self, ts: int, values: np.ndarray, revision: int | None, watermark: int, ingest_ns: int
    ) -> Fate:
        """Dedup, then lateness (E12)."""
        if from_the_future(self.settings, ts, ingest_ns):
            return Fate.QUARANTINED
        if ts < self.origin:
            return Fate.BEFORE_ORIGIN
        stored = self.stored(ts)
        if stored is not None and same(stored, values):
            keep_greater(self.revisions, ts, revision)
            return Fate.DUPLICATE
        if any(same(known, values) for known in self.held.get(ts, ())):
            return Fate.DUPLICATE
        if stored is not None and overtaken(self.revisions, ts, revision):
            return Fate.DUPLICATE
        return judge_late(self.settings, ts + self.group.interval, watermark)

    def stored(self, ts: int) -> np.ndarray | None:
        timeline = self.group.timeline
        assert timeline is not None
        row = timeline.row(ts)
        if not 0 <= row < timeline.rows or self.group.S[row, self.lane] not in (PENDING, VALUE):
            return None
        stored: np.ndarray = timeline.V[row, self.group.out + self.lane]
        return stored

    def store(self, ts: int, values: np.ndarray, revision: int | None) -> tuple[bool, np.ndarray | None]:
        """Keep the bar; returns (its bucket had a committed value, that value)."""
        timeline = self.group.timeline
        assert timeline is not None
        timeline.ensure(ts, ts)
        row = timeline.row(ts)
        status = self.group.S[row, self.lane]
        old = timeline.V[row, self.group.out + self.lane].copy() if status == VALUE else None
        timeline.V[row, self.group.out + self.lane] = values
        if status == NONE:
            self.group.S[row, self.lane] = PENDING
        remember(self.revisions, ts, revision)
        return status == VALUE, old


@dataclass(slots=True)
class TickEntry(Counted):
    """The entry of a tick stream at one reader: its events in order of (ts, event id)."""

    reader: Group
    up: Group
    lane: int  # of the tick stream in `up`
    clock: int
    settings: EventTime
    origin: int
    take: np.ndarray  # which of the source's columns are its fields
    counts: np.ndarray = field(default_factory=tally)
    keys: list[tuple[int, Any]] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    known: dict[Any, tuple[int, Any]] = field(default_factory=dict)  # identity -> key in `keys`
    held: dict[Any, list[tuple[int, np.ndarray]]] = field(default_factory=dict)
    revisions: dict[Any, int] = field(default_factory=dict)

    def judge(
        self, ts: int, identity: Any, values: np.ndarray, revision: int | None, watermark: int, ingest_ns: int
    ) -> Fate:
        """Dedup, then lateness (E12). The closing point is the end of the reader's bucket."""
        if from_the_future(self.settings, ts, ingest_ns):
            return Fate.QUARANTINED
        if ts < self.origin:
            return Fate.BEFORE_ORIGIN
        key = self.known.get(identity)
        if key is not None and key[0] == ts and same(self.rows[bisect_left(self.keys, key)], values):
            keep_greater(self.revisions, identity, revision)
            return Fate.DUPLICATE
        if any(time == ts and same(held, values) for time, held in self.held.get(identity, ())):
            return Fate.DUPLICATE
        if key is not None and overtaken(self.revisions, identity, revision):
            return Fate.DUPLICATE
        interval = self.reader.interval
        return judge_late(self.settings, ts // interval * interval + interval, watermark)

    def store(
        self, ts: int, identity: Any, order: Any, values: np.ndarray, revision: int | None
    ) -> list[int]:
        """Keep the tick; returns the times whose windows changed (its own, and where a revised one was)."""
        changed = [ts]
        old = self.known.get(identity)
        if old is not None:
            at = bisect_left(self.keys, old)
            del self.keys[at], self.rows[at]
            changed.append(old[0])
        key = (ts, order)
        if not self.keys or key > self.keys[-1]:
            self.keys.append(key)
            self.rows.append(values)
        else:
            at = bisect_left(self.keys, key)
            self.keys.insert(at, key)
            self.rows.insert(at, values)
        self.known[identity] = key
        remember(self.revisions, identity, revision)
        return changed

    def has(self, start: int, stop: int) -> bool:
        """Whether an event lies in ``start <= ts < stop``."""
        low = bisect_left(self.keys, start, key=lambda k: k[0])
        return low < len(self.keys) and self.keys[low][0] < stop

    def span(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Times and values (n, fields) of the events with ``start <= ts < stop``."""
        low = bisect_left(self.keys, start, key=lambda k: k[0])
        high = bisect_left(self.keys, stop, key=lambda k: k[0])
        times = np.array([k[0] for k in self.keys[low:high]], np.int64)
        width = len(self.up.outputs)
        return times, np.array(self.rows[low:high], np.float64).reshape(high - low, width)
