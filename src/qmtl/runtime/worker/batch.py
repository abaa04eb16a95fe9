"""The streams' messages of one record, as one batch for the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from qmtl.core.flow.commit import Record
from qmtl.core.flow.feed import CLOCK_TICK, EVENT, FINISHED
from qmtl.runtime.worker.messages import Clock, Events, Finished, encoded

Array = np.ndarray[Any, Any]
Came: TypeAlias = Events | Finished | Clock
EMPTY = np.zeros((0, 1))
EVENTS, HISTORY = b"events", b"history"  # keys of records
RECORD_BYTES = 6 << 20  # of events, at most, but for one stream's alone


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrivals, as the engine reads them."""

    kind: Array
    source: Array
    event_ns: Array
    available_ns: Array
    row: Array
    values: Sequence[Array]
    event_id: Sequence[Any]
    revision: Sequence[Any]
    flat: Array | None


def records_of(messages: Sequence[Came], history: bool = False) -> list[Record]:
    """Records of the messages of several streams; what is in one of them is applied together.

    `history`: they are of a past whose slices are computed beside the slots.
    """
    return [Record(HISTORY if history else EVENTS, encoded(some)) for some in together(messages)]


def together(messages: Sequence[Came]) -> list[list[Came]]:
    """The messages of each record."""
    found: list[list[Came]] = []
    room = 0
    for one in messages:
        size = len(one.values) + 2 * len(one.event_ns) if isinstance(one, Events) else 0
        if not found or size > room:
            found.append([])
            room = RECORD_BYTES
        found[-1].append(one)
        room -= size
    return found


def batch_of(messages: Sequence[Came], number: Mapping[str, int]) -> Batch:
    """Events in the order in which they came, those of a stream in its own; then who has ended, or is silent.

    Between streams only the time of arrival says an order, and where that is the same, the time of the event.
    `number`: of the streams, by node id.
    """
    events = [one for one in messages if isinstance(one, Events)]
    others = [one for one in messages if not isinstance(one, Events)]
    times = [np.frombuffer(one.event_ns, np.int64) for one in events]
    known = [np.frombuffer(one.available_ns, np.int64) for one in events]
    tables = [
        np.frombuffer(one.values, np.float64).reshape(len(rows), -1)
        for one, rows in zip(events, times, strict=True)
    ]
    order = _order(times, known)
    flat = _flat(events, tables)
    counts = [len(rows) for rows in times]
    rows = [np.arange(count) for count in counts] if flat is None else [np.arange(sum(counts))]
    source = np.repeat(np.array([number[one.stream] for one in events], np.int32), counts)
    columns: tuple[Array, ...] = (
        np.full(sum(counts), EVENT, np.uint8),
        source,
        _joined(times),
        _joined(known),
        _joined(rows),
    )
    ids, revisions = list[Any]([None] * len(number)), list[Any]([None] * len(number))
    values = [EMPTY] * len(number)
    for one, table in zip(events, tables, strict=True):
        at = number[one.stream]
        values[at] = table
        ids[at] = None if one.event_id is None else np.array(one.event_id, object)
        revisions[at] = None if one.revision is None else np.frombuffer(one.revision, np.int64)
    ends = _ends(others, number)
    # The driver is compiled for arrays that may be written.
    kind, source, event_ns, available_ns, row = (
        np.concatenate([column[order], end]) for column, end in zip(columns, ends, strict=True)
    )
    return Batch(kind, source, event_ns, available_ns, row, values, ids, revisions, flat)


def _order(times: Sequence[Array], known: Sequence[Array]) -> Array | slice:
    if len(times) < 2:
        return slice(None)
    came = np.concatenate([np.maximum.accumulate(one) for one in known])
    if (came[1:] >= came[:-1]).all() and came[0] != came[-1]:
        return slice(None)
    at = np.concatenate([np.maximum.accumulate(one) for one in times])
    return np.lexsort((at, came))


def _flat(events: Sequence[Events], tables: Sequence[Array]) -> Array | None:
    """One table of all, where they have the same columns and no event is known by more than its time."""
    widths = {table.shape[1] for table in tables}
    if len(widths) != 1 or any(one.event_id is not None or one.revision is not None for one in events):
        return None
    return tables[0] if len(tables) == 1 else np.concatenate(tables)


def _joined(columns: Sequence[Array]) -> Array:
    return np.concatenate(columns) if columns else np.zeros(0, np.int64)


def _ends(others: Sequence[Finished | Clock], number: Mapping[str, int]) -> tuple[Array, ...]:
    """The columns of messages that are no events."""
    count = len(others)
    kind = np.array([CLOCK_TICK if isinstance(one, Clock) else FINISHED for one in others], np.uint8)
    source = np.array([number[one.stream] for one in others], np.int32)
    now = np.array([one.now_ns if isinstance(one, Clock) else 0 for one in others], np.int64)
    nothing = np.zeros(count, np.int64)
    return kind, source, nothing, now, nothing
