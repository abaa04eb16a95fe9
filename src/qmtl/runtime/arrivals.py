"""Arrivals: everything a run is given, as columns in the order in which it arrives.

A :class:`Source` is one stream at one interval. Files become sources read in order of time; an iterable of events
becomes a :class:`Feed`, whose own order is kept. :func:`merge` lays them into one sequence. The order is

    (time available, ticks before bars and finer bars before coarser, stream id, row)

and where several feeds meet, a feed's records come after the files' at the same time; a feed is never reordered, so
its time is the greatest it has reached. With `with_clock` the times at which records of files are available are clock
ticks too, each *after* everything that is available at that time: who speaks at the moment `t` is not idle at `t`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from qmtl.core.graph.duration import Duration

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Ids = NDArray[Any]  # int64, or object holding str

NEVER = np.iinfo(np.int64).min
CLOCK = -1  # the source of a clock tick


class ArrivalKind(IntEnum):
    EVENT = 0  # a bar or tick
    CLOCK = 1  # the clock says `available_ns`
    FINISHED = 2  # the source has ended: nothing follows


@dataclass(frozen=True, slots=True)
class SourceKey:
    """A stream at one interval in nanoseconds; `None` for ticks."""

    id: str
    interval_ns: int | None

    def __str__(self) -> str:
        return (
            f"{self.id} ticks"
            if self.interval_ns is None
            else f"{self.id} {Duration.from_ns(self.interval_ns)}"
        )

    @property
    def rank(self) -> tuple[int, str]:
        """Place among records available at the same time: ticks, then finer before coarser, then by id."""
        return (self.interval_ns or 0, self.id)


def _bytes(values: NDArray[Any]) -> memoryview:
    """The bytes of an array in C order, not copied where they lie so."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The events of one source, row by row in their order of arrival. Times in nanoseconds UTC."""

    key: SourceKey
    fields: tuple[str, ...]
    event_ns: I64  # bar start or tick time
    available_ns: I64
    values: F64  # (rows, fields), C order
    event_id: Ids | None = None
    revision: I64 | None = None
    place: str = ""  # the file, or the argument, that it was read from
    order: I64 | None = None  # which row of that each row was; None: the same

    def digest(self) -> str:
        """BLAKE3 (hex) of the content: fields, times, values (every NaN the same), ids and revisions."""
        state = blake3(repr((self.key.id, self.key.interval_ns, self.fields, self.values.shape)).encode())
        state.update(_bytes(self.event_ns))
        state.update(_bytes(self.available_ns))
        unknown = np.isnan(self.values)
        values = np.where(unknown, np.nan, self.values) if unknown.any() else self.values
        state.update(_bytes(values))
        for name, column in (("id", self.event_id), ("revision", self.revision)):
            if column is None:
                continue
            state.update(f"{name} {column.dtype.kind}".encode())
            if column.dtype.kind == "O":
                state.update("".join(f"{len(text)}:{text}" for text in column).encode())
            else:
                state.update(column.tobytes())
        return str(state.hexdigest())


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """Several sources in one given order: record `i` is row `row[i]` of `sources[source[i]]`, or a clock tick."""

    sources: tuple[Source, ...]
    source: NDArray[np.int32]  # index into `sources`, CLOCK for clock ticks
    row: I64
    available_ns: I64


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Records in order of arrival, and beside them one table of values per source.

    `values[s][row[i]]` are the fields `fields[s]` of record `i`, `s = source[i]`. A clock tick has source and row −1, a
    `FINISHED` record row −1; their `event_ns` equals their `available_ns`.
    """

    kind: NDArray[np.uint8]
    source: NDArray[np.int32]
    row: I64
    event_ns: I64
    available_ns: I64
    sources: tuple[SourceKey, ...]
    fields: tuple[tuple[str, ...], ...]
    values: tuple[F64, ...]
    event_id: tuple[Ids | None, ...]
    revision: tuple[I64 | None, ...]
    digests: Mapping[SourceKey, str] = field(default_factory=dict)
    flat: F64 | None = None  # values of records in one table, where they were given so
    notes: tuple[str, ...] = ()  # what a person should know about the data; one sentence each
    places: tuple[str, ...] = ()  # by source: where it was read
    orders: tuple[I64 | None, ...] = ()  # by source: which row there each row of `values` was; None: the same

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def events(self) -> int:
        """How many records are bars or ticks."""
        return int(np.count_nonzero(self.kind == ArrivalKind.EVENT))

    def earliest(self) -> dict[SourceKey, int]:
        """The earliest event time of each source that has events."""
        first = np.full(len(self.sources), np.iinfo(np.int64).max)
        events = self.kind == ArrivalKind.EVENT
        np.minimum.at(first, self.source[events], self.event_ns[events])
        seen = np.bincount(self.source[events], minlength=len(self.sources)) > 0
        return {key: int(first[number]) for number, key in enumerate(self.sources) if seen[number]}


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Columns of records that keep their order; `rank` breaks ties between parts."""

    key: I64  # the time by which parts are merged, ascending
    kind: NDArray[np.uint8]
    source: NDArray[np.int32]
    row: I64
    event_ns: I64
    available_ns: I64
    rank: int


def merge(
    sources: Sequence[Source],
    feeds: Sequence[Feed] = (),
    *,
    finished: bool = True,
    with_clock: bool = False,
    notes: Sequence[str] = (),
) -> Arrivals:
    """One sequence of arrivals; the rows of each of `sources` must ascend in `available_ns`.

    With `finished` a source ends directly after its last event, those of a feed at the end of the feed.
    """
    everything = sorted(
        [*sources, *(one for feed in feeds for one in feed.sources)], key=lambda one: one.key.rank
    )
    keys = tuple(one.key for one in everything)
    index = {key: number for number, key in enumerate(keys)}
    if len(index) != len(keys):
        raise ValueError("a source is given twice")
    parts = [_of_source(one, index[one.key], finished) for one in sources]
    parts += [_of_feed(feed, index, len(index) + number, finished) for number, feed in enumerate(feeds)]
    if with_clock:
        parts.append(_clock(sources, len(index) + len(feeds)))
    columns = _in_order(parts)
    return Arrivals(
        *columns,
        sources=keys,
        fields=tuple(one.fields for one in everything),
        values=tuple(one.values for one in everything),
        event_id=tuple(one.event_id for one in everything),
        revision=tuple(one.revision for one in everything),
        digests={one.key: one.digest() for one in everything},
        notes=tuple(notes),
        places=tuple(one.place for one in everything),
        orders=tuple(one.order for one in everything),
    )


def distinct(times: I64) -> I64:
    """The different times, ascending; fast where they come as sorted runs (`np.unique` hashes and then sorts)."""
    ascending = np.sort(times, kind="stable")
    return ascending[np.flatnonzero(np.diff(ascending, prepend=ascending[:1] - 1))]


def _of_source(source: Source, number: int, finished: bool) -> _Part:
    rows = len(source.event_ns)
    length = rows + finished
    end = int(source.available_ns[-1]) if rows else NEVER
    kind = np.zeros(length, np.uint8)
    row = np.arange(length, dtype=np.int64)
    event, available = np.full(length, end, np.int64), np.full(length, end, np.int64)
    kind[rows:], row[rows:] = ArrivalKind.FINISHED, -1
    event[:rows], available[:rows] = source.event_ns, source.available_ns
    return _Part(available, kind, np.full(length, number, np.int32), row, event, available, number)


def _of_feed(feed: Feed, index: Mapping[SourceKey, int], rank: int, finished: bool) -> _Part:
    ending = sorted(index[one.key] for one in feed.sources) if finished else []
    rows, length = len(feed.row), len(feed.row) + len(ending)
    end = int(feed.available_ns.max()) if rows else NEVER
    available = np.full(length, end, np.int64)
    available[:rows] = feed.available_ns
    kind = np.full(length, ArrivalKind.FINISHED, np.uint8)
    kind[:rows] = np.where(feed.source == CLOCK, ArrivalKind.CLOCK, ArrivalKind.EVENT)
    row = np.full(length, -1, np.int64)
    row[:rows] = np.where(feed.source == CLOCK, -1, feed.row)
    event = available.copy()
    source = np.full(length, CLOCK, np.int32)
    source[rows:] = ending
    for number, one in enumerate(feed.sources):
        mine = np.flatnonzero(feed.source == number)
        source[mine] = index[one.key]
        event[mine] = one.event_ns[feed.row[mine]]
    return _Part(np.maximum.accumulate(available), kind, source, row, event, available, rank)


def _clock(sources: Sequence[Source], rank: int) -> _Part:
    times = [one.available_ns for one in sources]
    at = distinct(np.concatenate(times)) if times else np.zeros(0, np.int64)
    kind, source = np.full(len(at), ArrivalKind.CLOCK, np.uint8), np.full(len(at), CLOCK, np.int32)
    return _Part(at, kind, source, np.full(len(at), -1, np.int64), at, at, rank)


def _in_order(parts: Sequence[_Part]) -> tuple[NDArray[np.uint8], NDArray[np.int32], I64, I64, I64]:
    """The columns (kind, source, row, event_ns, available_ns), stably sorted by (key, rank)."""
    if len(parts) == 1:  # in its order already
        one = parts[0]
        return one.kind, one.source, one.row, one.event_ns, one.available_ns
    ranked = sorted(parts, key=lambda part: part.rank)  # so that a stable sort by key alone keeps the rank

    def joined(columns: list[NDArray[Any]], dtype: type[np.generic]) -> NDArray[Any]:
        return np.concatenate(columns) if columns else np.zeros(0, dtype)

    order = np.argsort(joined([part.key for part in ranked], np.int64), kind="stable")
    return (
        joined([part.kind for part in ranked], np.uint8)[order],
        joined([part.source for part in ranked], np.int32)[order],
        joined([part.row for part in ranked], np.int64)[order],
        joined([part.event_ns for part in ranked], np.int64)[order],
        joined([part.available_ns for part in ranked], np.int64)[order],
    )
