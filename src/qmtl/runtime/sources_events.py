"""An iterable of events and clock ticks, in order of arrival, as a feed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa

from qmtl.core.errors import UserError
from qmtl.core.flow.event import ClockTick, Event
from qmtl.core.flow.instant import instant_ns, instant_text
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import TickIdentity
from qmtl.runtime.arrivals import CLOCK, Feed, Ids, Source
from qmtl.runtime.sources_cells import identities
from qmtl.runtime.sources_table import Wanted


@dataclass(slots=True)
class _Rows:
    """The events of one source so far."""

    wanted: Wanted
    event_ns: list[int] = field(default_factory=list)
    available_ns: list[int] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    ids: list[int | str | None] = field(default_factory=list)
    revisions: list[int | None] = field(default_factory=list)

    def source(self, place: str) -> Source:
        count = len(self.event_ns)
        values = np.array(self.values, np.float64).reshape(count, len(self.wanted.fields))
        revision = _all_or_none(self.revisions, self.wanted, "revision", place)
        return Source(
            self.wanted.key,
            self.wanted.fields,
            np.array(self.event_ns, np.int64),
            np.array(self.available_ns, np.int64),
            values,
            self._ids(place),
            None if revision is None else np.array(revision, np.int64),
            place,
        )

    def _ids(self, place: str) -> Ids | None:
        if self.wanted.interval_ns is not None or self.wanted.identity is not TickIdentity.EVENT_ID:
            return None
        ids = _all_or_none(self.ids, self.wanted, "id", place)
        if ids is None:
            return None
        if len({type(one) for one in ids}) > 1:
            raise UserError(
                "the ids of a stream are integers and texts mixed",
                place=f"{place}, stream {self.wanted.id!r}",
                value=ids[:3],
                cure="make all of them texts, or all integers",
            )
        return identities(pa.array(ids), place, "id")


def read_events(items: Iterable[Any], wanted: Sequence[Wanted], place: str) -> tuple[Feed, list[str]]:
    """The feed of an iterable, its order kept; events of streams that nobody reads are left out and noted.

    Raises :class:`UserError` with the number of the item (the first is 1) for what is neither an event nor a clock
    tick, a wanted field that is missing or no number, bars off the grid of their interval, and an unclear interval.
    """
    reader = _Reader(wanted, place)
    for item in items:
        reader.take(item)
    sources = tuple(rows.source(place) for rows in reader.rows)
    feed = Feed(
        sources,
        np.array(reader.source, np.int32),
        np.array(reader.row, np.int64),
        np.array(reader.at, np.int64),
    )
    notes = [
        f"{place}: {count:,} events of {stream!r} are left out; no strategy reads it" + _hint(stream, wanted)
        for stream, count in sorted(reader.unread.items())
    ]
    notes += [f"{place}: no event of {rows.wanted.key} in it" for rows in reader.rows if not rows.event_ns]
    return feed, notes


class _Reader:
    def __init__(self, wanted: Sequence[Wanted], place: str) -> None:
        self.place = place
        self.rows = [_Rows(one) for one in wanted]
        self.of_stream: dict[str, list[int]] = {}
        for number, one in enumerate(wanted):
            self.of_stream.setdefault(one.id, []).append(number)
        self.known: dict[tuple[str, Any], int | None] = {}  # (stream, interval as given) -> number in rows
        self.source: list[int] = []
        self.row: list[int] = []
        self.at: list[int] = []
        self.unread: dict[str, int] = {}
        self.count = 0

    def here(self, what: str = "") -> str:
        return f"{self.place}, item {self.count}" + (f", {what}" if what else "")

    def take(self, item: Any) -> None:
        self.count += 1
        if isinstance(item, ClockTick):
            self.source.append(CLOCK)
            self.row.append(-1)
            self.at.append(instant_ns(item.at, self.here("at")))
        elif isinstance(item, Event):
            self.event(item)
        else:
            raise UserError(
                "neither an Event nor a ClockTick",
                place=self.here(),
                value=item,
                cure='yield Event("BTC", ts, {"close": 1.0}) and ClockTick(at)',
            )

    def event(self, event: Event) -> None:
        number = self.number(event)
        if number is None:
            self.unread[event.stream] = self.unread.get(event.stream, 0) + 1
            return
        rows = self.rows[number]
        interval = rows.wanted.interval_ns
        ts = instant_ns(event.ts, self.here("ts"))
        if interval is not None and ts % interval:
            raise UserError(
                f"a bar does not start at a multiple of {Duration.from_ns(interval)}",
                place=self.here("ts"),
                value=instant_text(ts),
                cure="ts is the start of the bar in UTC; check its interval",
            )
        at = ts + (interval or 0) if event.at is None else instant_ns(event.at, self.here("at"))
        self.source.append(number)
        self.row.append(len(rows.event_ns))
        self.at.append(at)
        rows.values.append(self.values(event, rows.wanted))
        rows.event_ns.append(ts)
        rows.available_ns.append(at)
        rows.ids.append(event.id)
        rows.revisions.append(event.revision)

    def number(self, event: Event) -> int | None:
        key = (event.stream, event.interval)
        if key not in self.known:
            self.known[key] = self.find(event)
        return self.known[key]

    def find(self, event: Event) -> int | None:
        """Which wanted source an event belongs to; None: nobody reads it."""
        numbers = self.of_stream.get(event.stream, [])
        intervals = {self.rows[number].wanted.interval_ns: number for number in numbers}
        if event.interval is not None:
            return intervals.get(Duration(event.interval).ns)
        if len(numbers) <= 1:
            return numbers[0] if numbers else None
        if None in intervals:
            return intervals[None]
        raise UserError(
            f"{event.stream!r} is read at several intervals and the event does not say its own",
            place=self.here(),
            value=", ".join(str(self.rows[number].wanted.key) for number in numbers),
            cure='Event(…, interval="1m")',
        )

    def values(self, event: Event, wanted: Wanted) -> list[float]:
        given = event.values
        if not isinstance(given, Mapping):
            if len(wanted.fields) != 1:
                raise UserError(
                    f"{wanted.key} has several fields and the event a bare value",
                    place=self.here("values"),
                    value=given,
                    cure=f"name them: {{{wanted.fields[0]!r}: …}}; there are {', '.join(wanted.fields)}",
                )
            given = {wanted.fields[0]: given}
        return [self.number_of(given, name, wanted) for name in wanted.fields]

    def number_of(self, given: Mapping[str, Any], name: str, wanted: Wanted) -> float:
        if name not in given:
            if not wanted.needs(name):
                return float("nan")
            raise UserError(
                f"an event of {wanted.key} lacks the field {name!r}",
                place=self.here("values"),
                value=dict(given),
                cure="give every field the stream declares, or declare fewer: StreamInput(…, fields=(…))",
            )
        try:
            return float(given[name])
        except (TypeError, ValueError):
            raise UserError(
                "a value is not a number",
                place=self.here(f"field {name!r}"),
                value=given[name],
                cure='give a number; float("nan") where there is none',
            ) from None


def _all_or_none(items: list[Any], wanted: Wanted, name: str, place: str) -> list[Any] | None:
    """The items, or None where no event has one. Raises :class:`UserError` where only some have."""
    if not any(one is not None for one in items):
        return None
    lacking = next((number for number, one in enumerate(items) if one is None), None)
    if lacking is not None:
        raise UserError(
            f"some events of {wanted.key} have {name}=, some not",
            place=f"{place}, stream {wanted.id!r}",
            value=f"event {lacking + 1} of the stream has none",
            cure=f"give {name}= to all of them, or to none",
        )
    return items


def _hint(stream: str, wanted: Sequence[Wanted]) -> str:
    near = get_close_matches(stream, [one.id for one in wanted], n=1)
    if not near:
        return ""
    return " at that interval" if near[0] == stream else f" (they read {near[0]!r})"
