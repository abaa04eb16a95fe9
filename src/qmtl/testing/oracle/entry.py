"""Entries: what becomes of an event that arrives (E7–E10, E14).

A bar stream is one entry. A tick stream has one entry for each node that reads it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from qmtl.testing.oracle.case import Source
from qmtl.testing.oracle.value import same_bits

USED, DUPLICATE, LATE, SIDE_OUTPUT, TOO_LATE, BEFORE_ORIGIN = (
    "used",
    "duplicate",
    "late_dropped",
    "side_output",
    "too_late",
    "before_origin",
)
FATES = (USED, DUPLICATE, LATE, SIDE_OUTPUT, TOO_LATE, BEFORE_ORIGIN, "quarantined")


class Stored:
    """An event as an entry keeps it."""

    def __init__(self, ts: int, value: float, order: Any, revision: int | None) -> None:
        self.ts, self.value, self.order, self.revision = ts, value, order, revision


class Entry:
    """The events one entry has stored, and the count of all that arrived there."""

    def __init__(self, source: Source, interval: int, hits: Counter[str]) -> None:
        """`interval`: of the buckets that judge events: the bars' own, or that of the reader of the ticks."""
        self.source, self.interval, self.hits = source, interval, hits
        self.counters = dict.fromkeys(("arrivals", *FATES), 0)
        self.stored: dict[Any, Stored] = {}
        self.delivered: list[tuple[Any, int, float]] = []
        self.forgotten: list[tuple[Any, int, float]] = []  # dropped by `ignore`; kept only to count branches

    def identity(self, event: dict[str, Any], position: int) -> Any:
        """E7: bars by time; ticks by event id, else by position, or by time where the stream says so."""
        kind = "event_ts" if self.source.interval is not None else self.source.identity
        if kind == "event_ts":
            return event["event_ts"]
        if kind == "event_id" and event.get("event_id") is not None:
            return event["event_id"]
        return ("position", position)

    def take(self, event: dict[str, Any], position: int, wm: float) -> tuple[str, list[int]]:
        """Count the event, store it or not; returns its fate and the times at which stored data changed."""
        self.counters["arrivals"] += 1
        identity = self.identity(event, position)
        fate = self._judge(event, identity, wm)
        self.counters[fate] += 1
        self.hits[f"E14.{fate}"] += 1
        ts, value = event["event_ts"], event["value"]
        if fate == SIDE_OUTPUT:
            self.delivered.append((identity, ts, value))
        if fate == LATE:
            self.forgotten.append((identity, ts, value))
        if fate != USED:
            return fate, []
        old = self.stored.get(identity)
        order = (
            identity if self.source.identity == "event_id" and event.get("event_id") is not None else position
        )
        self.stored[identity] = Stored(ts, value, order, event.get("revision"))
        return fate, [ts] if old is None else sorted({ts, old.ts})

    def _judge(self, event: dict[str, Any], identity: Any, wm: float) -> str:
        ts = event["event_ts"]
        if ts < self.source.origin:
            self.hits["E10.before_origin"] += 1
            return BEFORE_ORIGIN
        closing = ts // self.interval * self.interval + self.interval
        if self._is_duplicate(event, identity, closing <= wm):
            return DUPLICATE
        if closing > wm:
            if ts < wm:
                self.hits["E8.behind_watermark_but_open"] += 1
            return USED
        return self._judge_late(event, identity, closing, wm)

    def _is_duplicate(self, event: dict[str, Any], identity: Any, late: bool) -> bool:
        ts, value, revision = event["event_ts"], event["value"], event.get("revision")
        old = self.stored.get(identity)
        if old is not None and old.ts == ts and same_bits(old.value, value):
            self.hits["E7.duplicate_that_would_be_late" if late else "E7.duplicate"] += 1
            if revision is not None and old.revision is not None:
                old.revision = max(old.revision, revision)
            return True
        if any(i == identity and t == ts and same_bits(v, value) for i, t, v in self.delivered):
            self.hits["E7.duplicate_of_side_output"] += 1
            return True
        if old is not None:
            if revision is not None and old.revision is not None and revision < old.revision:
                self.hits["E7.revision_overtaken"] += 1
                return True
            self.hits["E7.revision" if revision is None else "E7.revision_greater"] += 1
            if old.ts != ts:
                self.hits["E7.revision_moves_event"] += 1
        return False

    def _judge_late(self, event: dict[str, Any], identity: Any, closing: int, wm: float) -> str:
        source, ts, value = self.source, event["event_ts"], event["value"]
        beyond = source.allowed_lateness is not None and closing + source.allowed_lateness <= wm
        if source.on_late == "ignore":
            if any(i == identity and t == ts and same_bits(v, value) for i, t, v in self.forgotten):
                self.hits["E7.ignored_is_not_remembered"] += 1
            self.hits["E9.ignore_whatever_H" if beyond else "E8.late_ignore"] += 1
            return LATE
        if source.on_late == "side_output":
            self.hits["E9.side_output_whatever_H" if beyond else "E8.late_side_output"] += 1
            return SIDE_OUTPUT
        if beyond:
            self.hits["E9.too_late"] += 1
            return TOO_LATE
        self.hits["E8.late_recompute" if source.allowed_lateness is None else "E9.late_within_H"] += 1
        return USED
