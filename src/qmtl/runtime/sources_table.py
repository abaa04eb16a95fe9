"""A table as a source: which column is what, when each bar starts, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Reading, Stamp
from qmtl.core.flow.instant import SECOND, instant_text
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import TickIdentity
from qmtl.runtime.arrivals import F64, I64, Ids, Source, SourceKey, distinct
from qmtl.runtime.sources_cells import identities, instants, integers, is_time_like, numbers, row_place

TIME_NAMES = ("timestamp", "time", "date", "datetime", "ts", "open_time")
ID_NAMES = ("id", "event_id", "trade_id")
PRICES = frozenset({"open", "high", "low", "close", "price", "bid", "ask"})
_INDEX = "__index_level_0__"  # an unnamed pandas index in Parquet and Feather
_CLEARLY = 50  # so many rows, nearly all the same step apart, contradict an interval


@dataclass(frozen=True, slots=True)
class Wanted:
    """A source that strategies read. `used` are the fields that some node reads: another may be missing (NaN)."""

    id: str
    interval_ns: int | None
    fields: tuple[str, ...]
    identity: TickIdentity = TickIdentity.EVENT_ID
    used: frozenset[str] | None = None  # None: all of them

    @property
    def key(self) -> SourceKey:
        return SourceKey(self.id, self.interval_ns)

    def needs(self, field: str) -> bool:
        return self.used is None or field in self.used


class Names:
    """The columns of a table, found without regard to case and blanks around them."""

    def __init__(self, table: pa.Table, place: str, columns: Mapping[str, str]) -> None:
        self.table, self.place = table, place
        self.known: list[str] = list(table.column_names)
        self.mapped = dict(columns)

    def find(self, name: str) -> str | None:
        """The column called `name`: exactly, else but for case. Raises :class:`UserError` where several are."""
        if self.known.count(name) == 1:
            return name
        alike: list[str] = [one for one in self.known if one.strip().casefold() == name.strip().casefold()]
        if len(alike) > 1:
            raise UserError(
                f"several columns are called {name!r}",
                place=self.place,
                value=", ".join(alike),
                cure="rename all but one",
            )
        return alike[0] if alike else None

    def given(self, role: str) -> str | None:
        """The column the user named for a role or field. Raises :class:`UserError` where it is not there."""
        if role not in self.mapped:
            return None
        found = self.find(self.mapped[role])
        if found is None:
            raise self.missing(
                f"columns={{{role!r}: {self.mapped[role]!r}}} names a column", self.mapped[role]
            )
        return found

    def missing(self, what: str, name: str) -> UserError:
        """The error for a column that is not there."""
        near = get_close_matches(name, self.known, n=1)
        hint = near[0] if near else "its name there"
        return UserError(
            f"{what} that is not there",
            place=self.place,
            value=name,
            cure=f"the columns are {', '.join(self.known)}; map it with Catalog(…, columns={{{name!r}: {hint!r}}}), or "
            "declare only the fields there are: StreamInput(…, fields=(…))",
        )

    def time(self) -> str:
        """The time column: the one named, else the only one of `TIME_NAMES`, else a first column of times."""
        given = self.given("time")
        if given is not None:
            return given
        found = [one for one in map(self.find, TIME_NAMES) if one is not None]
        if len(found) > 1:
            raise UserError(
                "several columns may be the time",
                place=self.place,
                value=", ".join(found),
                cure=f'say which: Catalog(…, columns={{"time": {found[0]!r}}})',
            )
        first = [*found, *(one for one in (_INDEX, *self.known[:1]) if one in self.known)]
        for one in first:
            if one in found or is_time_like(self.table.column(one)):
                return one
        raise UserError(
            "no column holds the time",
            place=self.place,
            value=", ".join(self.known),
            cure=f'call it one of {", ".join(TIME_NAMES)}, or name it: Catalog(…, columns={{"time": "…"}})',
        )


def read_table(table: pa.Table, wanted: Wanted, reading: Reading, place: str) -> tuple[Source, list[str]]:
    """The source in a table, and notes about it.

    A bar's time is its start, or with `stamp="close"` its end. Rows are put in order of availability (arrival time
    where `columns={"at": …}` names it; else bar end or tick time), rows of the same time in the order of the table.
    Nothing is left out: duplicated times, NaN, infinite and negative values are kept and noted.
    Raises :class:`UserError` naming the column, and the row and value where there is one.
    """
    if table.num_rows == 0:
        raise UserError(
            "there is no row of data", place=place, value=0, cure="check the path, or leave the stream out"
        )
    names = Names(table, place, reading.columns)
    time = names.time()
    start = instants(table.column(time), place, time, tz=reading.tz, unit=reading.time_unit)
    interval = wanted.interval_ns
    if interval is not None:
        if reading.stamp is Stamp.CLOSE:
            start = start - interval
        _check_grid(start, interval, reading.stamp, place, time)
    at = names.given("at")
    if at is not None:
        available = instants(table.column(at), place, at, tz=reading.tz, unit=reading.time_unit)
    else:
        available = start + (interval or 0)
    values, notes = _values(names, wanted)
    event_id, revision = _identity(names, wanted)
    notes += _notes_on(start, values, wanted, place)
    order = None
    if np.any(available[1:] < available[:-1]):
        order = np.argsort(available, kind="stable")
        start, available, values = start[order], available[order], values[order]
        event_id = None if event_id is None else event_id[order]
        revision = None if revision is None else revision[order]
        if at is None:
            notes.append(f"{place}: the rows were not in order of time; they are replayed sorted by time")
    made = (wanted.key, wanted.fields, start, available, values, event_id, revision, place, order)
    return Source(*made), notes


def _values(names: Names, wanted: Wanted) -> tuple[F64, list[str]]:
    values = np.full((names.table.num_rows, len(wanted.fields)), np.nan)
    notes = []
    for number, name in enumerate(wanted.fields):
        column = names.given(name) or names.find(name)
        if column is not None:
            values[:, number] = numbers(names.table.column(column), names.place, column)
        elif wanted.needs(name):
            raise names.missing(f"{wanted.key} needs a field", name)
        else:
            notes.append(f"{names.place}: no column {name!r}; no node reads it, so it is NaN")
    return values, notes


def _identity(names: Names, wanted: Wanted) -> tuple[Ids | None, I64 | None]:
    revision = names.given("revision") or names.find("revision")
    revisions = None if revision is None else integers(names.table.column(revision), names.place, revision)
    if wanted.interval_ns is not None or wanted.identity is not TickIdentity.EVENT_ID:
        return None, revisions
    found = names.given("id") or next((one for one in map(names.find, ID_NAMES) if one is not None), None)
    if found is None:
        return None, revisions
    return identities(names.table.column(found), names.place, found), revisions


def _check_grid(start: I64, interval: int, stamp: Stamp, place: str, column: str) -> None:
    """Refuse bars that do not start on the grid of the interval, and bars that clearly are of a longer one."""
    steps = np.diff(distinct(start))
    common = int(np.gcd.reduce(steps)) if len(steps) else 0
    off = np.flatnonzero(start % interval)
    if len(off):
        row = int(off[0])
        written = int(start[row]) + (interval if stamp is Stamp.CLOSE else 0)
        raise UserError(
            f"a bar does not start at a multiple of {Duration.from_ns(interval)}",
            place=row_place(place, row, column),
            value=instant_text(written),
            cure=_grid_cure(start, interval, common),
        )
    if len(start) < _CLEARLY or common <= interval:
        return
    if np.count_nonzero(steps == common) >= 0.9 * len(steps):
        raise UserError(
            f"the bars are not {Duration.from_ns(interval)} bars: all their times are {_span(common)} apart",
            place=f"{place}, column {column!r}",
            value=_span(common),
            cure=f'read it as interval="{_span(common)}"',
        )


def _span(ns: int) -> str:
    """A stretch of time for people; it need not be a Duration an author could write."""
    return f"{ns:,} ns" if ns % SECOND else str(Duration.from_ns(ns))


def _grid_cure(start: I64, interval: int, common: int) -> str:
    if common and common < interval and interval % common == 0 and not np.any(start % common):
        step = _span(common)
        return f'the times are {step} apart: read interval="{step}" and .resample("{Duration.from_ns(interval)}")'
    shift = int(start[0] % interval)
    if np.all(start % interval == shift):
        if interval - shift <= SECOND:
            return 'such times are the last instant of a bar: write the bar\'s open, or its end with stamp="close"'
        return (
            f"all times are {_span(shift)} after one: check tz=, or shift the times to the bar's start in UTC"
        )
    return "check the interval, the time column and its unit; ticks are read without interval"


def _notes_on(start: I64, values: F64, wanted: Wanted, place: str) -> Iterable[str]:
    unique = len(distinct(start))
    by_time = wanted.interval_ns is not None or wanted.identity is TickIdentity.EVENT_TS
    if by_time and unique < len(start):
        yield f"{place}: {len(start) - unique:,} rows repeat an earlier time; they are kept as duplicates or revisions"
    for number, name in enumerate(wanted.fields):
        column = values[:, number]
        unknown, infinite = np.count_nonzero(np.isnan(column)), np.count_nonzero(np.isinf(column))
        if unknown and wanted.needs(name):
            yield f"{place}: {unknown:,} values of {name!r} are NaN or empty; they are kept as NaN"
        if infinite:
            yield f"{place}: {infinite:,} values of {name!r} are infinite; they are kept"
        below = np.count_nonzero(column < 0) if name in PRICES else 0
        if below:
            yield f"{place}: {below:,} values of {name!r} are negative; they are kept"
