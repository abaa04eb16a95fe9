"""Columns of a table as numpy arrays: numbers, times and identities, every bad cell named by row and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import TimeUnit
from qmtl.runtime.arrivals import F64, I64, Ids

_MISSING = pa.array(
    ["", "nan", "-nan", "na", "n/a", "#n/a", "null", "none"]
)  # of a text column, whatever the case
_ID = r"^(0|-?[1-9][0-9]{0,18})$"  # integers in the one way they are written
_OFFSET = re.compile(r"[+-]\d{2}:\d{2}")
_LEAST_SECONDS = 10**8  # 1973: smaller integers could be anything (days, 20220103, a row number)
_UNIT_NS = {
    TimeUnit.SECONDS: 1_000_000_000,
    TimeUnit.MILLISECONDS: 1_000_000,
    TimeUnit.MICROSECONDS: 1_000,
    TimeUnit.NANOSECONDS: 1,
}
_FAILURES = (pa.ArrowInvalid, pa.ArrowNotImplementedError)


def whole(column: Any) -> pa.Array:
    """One Arrow array of plain values: chunks joined, dictionaries and large strings resolved."""
    cells = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(cells, pa.ChunkedArray):
        cells = pa.concat_arrays(cells.chunks) if cells.num_chunks else pa.array([], cells.type)
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if pa.types.is_large_string(cells.type) or pa.types.is_string_view(cells.type):
        cells = cells.cast(pa.string())
    return cells


def row_place(place: str, row: int, column: str) -> str:
    """Where a cell is. Rows are counted from 1, the first after a header."""
    return f"{place}, row {row + 1}, column {column!r}"


def numbers(column: Any, place: str, name: str) -> F64:
    """Cells as float64; empty ones become NaN. Raises :class:`UserError` at the first that is no number."""
    cells = whole(column)
    if pa.types.is_null(cells.type):
        return np.full(len(cells), np.nan)
    if pa.types.is_string(cells.type):
        texts = _unspelt(cells)
        return _float64(
            _parsed(texts, lambda part: part.cast(pa.float64()), place, name, "is not a number", _DOTS)
        )
    if not (
        pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)
    ):
        raise UserError(
            "a column of values holds no numbers",
            place=f"{place}, column {name!r}",
            value=str(cells.type),
            cure="name the right column with columns={field: column}",
        )
    return _float64(cells.cast(pa.float64(), safe=False))


def integers(column: Any, place: str, name: str) -> I64:
    """Cells as int64, none missing. Raises :class:`UserError` at the first that is no integer."""
    cells = _complete(whole(column), place, name)
    done = _parsed(
        cells, lambda part: part.cast(pa.int64()), place, name, "is not an integer", "write integers"
    )
    return np.asarray(done.to_numpy(zero_copy_only=False), np.int64)


def identities(column: Any, place: str, name: str) -> Ids:
    """Identities of ticks: int64 where all are integers (or texts that write one canonically), else texts."""
    cells = _complete(whole(column), place, name)
    if pa.types.is_integer(cells.type):
        return integers(cells, place, name)
    if not pa.types.is_string(cells.type):
        raise UserError(
            "ids are neither integers nor texts",
            place=f"{place}, column {name!r}",
            value=str(cells.type),
            cure='name the right column with columns={"id": column}, or read the stream with identity="position"',
        )
    if pc.all(pc.match_substring_regex(cells, _ID)).as_py():
        try:
            return np.asarray(cells.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
        except pa.ArrowInvalid:  # 19 digits may be more than 64 bits hold
            pass
    return np.asarray(cells.to_numpy(zero_copy_only=False), object)


def instants(column: Any, place: str, name: str, *, tz: str | None, unit: TimeUnit | None) -> I64:
    """Cells as nanoseconds UTC, none missing.

    Timestamps, dates and ISO 8601 texts keep their zone; naive ones are read in `tz` and refused without it. Integers
    count since 1970 UTC in `unit`; without one their size decides, counted from 1973: below 1e11 seconds, 1e14
    milliseconds, 1e17 microseconds, else nanoseconds. Raises :class:`UserError` with the row of the first cell that is
    missing, no time, or does not exist (or exists twice) in `tz`.
    """
    cells = _complete(whole(column), place, name)
    if pa.types.is_floating(cells.type):
        cells = _parsed(
            cells, lambda part: part.cast(pa.int64()), place, name, "is not a whole number", _WHOLE
        )
    if pa.types.is_integer(cells.type):
        return _counted(integers(cells, place, name), place, name, unit)
    if pa.types.is_string(cells.type):
        cells = _from_text(pc.utf8_trim_whitespace(cells), place, name)
    if not (pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type)):
        raise UserError(
            "the time column holds no times",
            place=f"{place}, column {name!r}",
            value=str(cells.type),
            cure='name the right one with columns={"time": column}',
        )
    zone = cells.type.tz if pa.types.is_timestamp(cells.type) else None
    fine = pa.timestamp("ns", zone)
    cells = _parsed(
        cells, lambda part: part.cast(fine), place, name, "is outside the years 1678 to 2261", "correct it"
    )
    if zone is None:
        cells = _localised(cells, place, name, tz)
    return np.asarray(cells.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)


def is_time_like(column: Any) -> bool:
    """Whether an unnamed first column can be the time: a temporal type, ISO text, or integers of such a size."""
    cells = whole(column)
    if pa.types.is_string(cells.type):
        cells = cells.drop_null()[:1]
        return len(cells) == 1 and re.match(r"\s*\d{4}-\d{2}-\d{2}", cells[0].as_py()) is not None
    if pa.types.is_integer(cells.type):
        return len(cells) > 0 and (pc.min(cells).as_py() or 0) >= _LEAST_SECONDS
    return bool(pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type))


_DOTS = (
    "correct the cell, or leave it empty for NaN; numbers have a decimal point and no thousands separators"
)
_WHOLE = "write times as integers (s, ms, us or ns since 1970), as timestamps or as ISO 8601 text"
_ISO = "write all times alike in ISO 8601, e.g. 2022-01-03T10:30:00Z"


@cache
def known_zone(tz: str, place: str) -> str:
    """`tz` itself, a name of the time zone database or an offset like `+01:00`; else a :class:`UserError`."""
    if not isinstance(tz, str):
        raise UserError(
            "tz is not a text", place=place, value=tz, cure='use a name such as "UTC" or "Europe/London"'
        )
    try:
        if not _OFFSET.fullmatch(tz):
            ZoneInfo(tz)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise UserError(
            "unknown time zone",
            place=place,
            value=tz,
            cure='use a name such as "UTC" or "Europe/London", or "+01:00"',
        ) from None
    return tz


def _complete(cells: pa.Array, place: str, name: str) -> pa.Array:
    missing = pc.is_null(cells, nan_is_null=True) if pa.types.is_floating(cells.type) else pc.is_null(cells)
    if pc.any(missing, min_count=0).as_py():
        row = int(pc.index(missing, True).as_py())
        raise UserError(
            "a cell is empty",
            place=row_place(place, row, name),
            value=None,
            cure="every row needs one: correct the cell or remove the row",
        )
    return cells


def _unspelt(cells: pa.Array) -> pa.Array:
    """Texts without blanks around them; the spellings of "no number" become null."""
    text = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.is_in(pc.utf8_lower(text), value_set=_MISSING), pa.scalar(None, pa.string()), text)


def _float64(cells: pa.Array) -> F64:
    return np.asarray(cells.to_numpy(zero_copy_only=False), np.float64)


def _parsed(
    cells: pa.Array, convert: Callable[[pa.Array], pa.Array], place: str, name: str, complaint: str, cure: str
) -> pa.Array:
    """`convert(cells)`; where it fails, an error that names the first cell at fault."""
    try:
        return convert(cells)
    except _FAILURES:
        low, high = 0, len(cells)
        while high - low > 1:  # the first fault lies in [low, high)
            middle = (low + high) // 2
            try:
                convert(cells.slice(low, middle - low))
                low = middle
            except _FAILURES:
                high = middle
        value = cells[low].cast(pa.string()).as_py()
        raise UserError(
            f"a cell {complaint}", place=row_place(place, low, name), value=value, cure=cure
        ) from None


def _from_text(cells: pa.Array, place: str, name: str) -> pa.Array:
    zoned = len(cells) > 0 and re.search(r"(Z|[+-]\d{2}:?\d{2})$", cells[0].as_py()[10:]) is not None
    target = pa.timestamp("ns", "UTC" if zoned else None)
    what = f"is not a time {'with' if zoned else 'without'} zone like the first row's"
    return _parsed(cells, lambda part: part.cast(target), place, name, what, _ISO)


def _localised(cells: pa.Array, place: str, name: str, tz: str | None) -> pa.Array:
    if tz is None:
        example = cells[0].cast(pa.string()).as_py() if len(cells) else None
        raise UserError(
            "the times have no zone",
            place=f"{place}, column {name!r}",
            value=example,
            cure='say what they are: Catalog(…, tz="UTC"), or --tz UTC on the command line',
        )
    zone = known_zone(tz, place)
    return _parsed(
        cells,
        lambda part: pc.assume_timezone(part, zone, ambiguous="raise", nonexistent="raise"),
        place,
        name,
        f"exists twice or never in {zone} (the clock changes there)",
        "store the times in UTC",
    )


def _counted(times: I64, place: str, name: str, unit: TimeUnit | None) -> I64:
    if unit is None:
        unit = _unit_of(times, place, name)
    scale = _UNIT_NS[unit]
    limit = np.iinfo(np.int64).max // scale - 1
    beyond = np.flatnonzero((times > limit) | (times < -limit))
    if len(beyond):
        raise UserError(
            f"a time is outside the years 1678 to 2261 when read in {unit.value}",
            place=row_place(place, int(beyond[0]), name),
            value=int(times[beyond[0]]),
            cure='say their unit: Catalog(…, time_unit="ms")',
        )
    return times * scale


def _unit_of(times: I64, place: str, name: str) -> TimeUnit:
    """The unit that the size of the integers shows; a :class:`UserError` where it shows none, or several."""
    bands = np.searchsorted(np.array([1e11, 1e14, 1e17]), times, side="right")
    odd = np.flatnonzero(times < _LEAST_SECONDS)
    if not len(odd):
        odd = np.flatnonzero(bands != bands[0]) if len(bands) else odd
    if len(odd):
        raise UserError(
            "integers that do not show the unit of time they count",
            place=row_place(place, int(odd[0]), name),
            value=int(times[odd[0]]),
            cure='say it: Catalog(…, time_unit="s"), "ms", "us" or "ns"; write calendar dates as text: 2022-01-03',
        )
    return tuple(_UNIT_NS)[int(bands[0])] if len(bands) else TimeUnit.SECONDS
