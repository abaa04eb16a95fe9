"""What changed after its bucket had closed: late version 0, corrections, withdrawals (E8).

What closes in order is not logged: it can be read from the statuses and from when each clock closed each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from qmtl.core.flow import layout as at
from qmtl.core.flow.entry import Fate
from qmtl.core.flow.plan import Group
from qmtl.core.flow.tell_kernels import same
from qmtl.core.flow.timeline import GAP, NONE, NULL, VALUE

ROOM = 1024  # records at first


class Change(NamedTuple):
    """One emission about a bucket that was closed already. `retract`/`value`: None where there is no value."""

    group: int
    lane: int
    bucket: int
    version: int
    step: int
    was: int  # the old status: NONE where there was no record
    kind: int  # the new status: VALUE, GAP, NULL, FAILED
    retract: tuple[float, ...] | None
    value: tuple[float, ...] | None


class Refusal(NamedTuple):
    """An arrival that did not enter, at one entry."""

    source: str  # node id of the stream
    reader: str  # node id of the entry
    step: int
    ts: int
    values: tuple[float, ...]
    fate: Fate


class Failure(NamedTuple):
    """A node that halted: its author's function raised, or a required input was missing under `fail`."""

    group: int
    lane: int
    bucket: int
    step: int
    cause: str


class Log:
    """Everything the engine said that cannot be read from its state.

    Changes are kept as columns, which compiled code fills too: `head` says how much of them is used. They stand in
    pieces that never move: copying what grew would cost more than filling it. `records` and `told` are the newest
    piece; the first row of each is number `first` of all.
    """

    def __init__(self) -> None:
        self._refusals: list[Refusal] = []
        self._entries: list[tuple[str, int]] = []  # node and number of fields, of bar entries
        self.repeats, self.repeated = np.zeros((ROOM, at.D_FIELDS), np.int64), np.zeros((ROOM, 0))
        self.failures: list[Failure] = []
        self.inputs: dict[tuple[int, int], list[tuple[int, int, Any, list[str]]]] = {}
        self.records = np.empty((ROOM, at.R_FIELDS), np.int64)
        self.told = np.empty(8 * ROOM)
        self.first = (0, 0)  # of records, of values told
        self.head = np.zeros(at.H_FIELDS, np.int64)
        self.moved: Callable[[], None] = lambda: None  # called when there is a new piece
        self._full: list[tuple[tuple[int, int], np.ndarray, np.ndarray]] = []
        self._read: list[Change] = []

    def feed(self, entries: list[tuple[str, int]]) -> None:
        """Whose duplicates compiled code tells: node and number of fields, by number of the bar entry."""
        self._entries = entries
        self.repeated = np.zeros((ROOM, max((width for _, width in entries), default=0)))
        self.head[[at.H_REPEATS, at.H_REPEAT_VALUES]] = self.repeats.ctypes.data, self.repeated.ctypes.data
        self.head[[at.H_REPEAT_WIDTH, at.H_REPEAT_ROOM]] = self.repeated.shape[1], ROOM

    @property
    def refusals(self) -> list[Refusal]:
        """All refusals so far, in order; what Python refuses is appended to it."""
        count, self.head[at.H_REPEAT_COUNT] = int(self.head[at.H_REPEAT_COUNT]), 0
        told = zip(self.repeats[:count].tolist(), self.repeated[:count].tolist(), strict=True)
        for (entry, step, ts), values in told:
            node, width = self._entries[entry]
            self._refusals.append(Refusal(node, node, step, ts, tuple(values[:width]), Fate.DUPLICATE))
        return self._refusals

    def grow(self) -> None:
        """A new piece, with twice the room."""
        count, told = int(self.head[at.H_RECORD_COUNT]), int(self.head[at.H_TOLD_COUNT])
        self._full.append((self.first, self.records[: count - self.first[0]], self.told))
        self.first = count, told
        self.records, self.told = (
            np.empty((2 * len(self.records), at.R_FIELDS), np.int64),
            np.empty(2 * len(self.told)),
        )
        self.moved()

    def ensure(self, values: int) -> None:
        """Room for one more record of so many values."""
        head = self.head
        while (
            head[at.H_RECORD_COUNT] >= head[at.H_RECORD_ROOM]
            or head[at.H_TOLD_COUNT] + values > head[at.H_TOLD_ROOM]
        ):
            self.grow()

    def since(self, start: int) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
        """The records from number `start` on: by piece, them, and the number of its first value with its values."""
        now = self.records[: int(self.head[at.H_RECORD_COUNT]) - self.first[0]]
        for (first, value), records, told in (*self._full, (self.first, now, self.told)):
            if first + len(records) > start:
                yield records[max(start - first, 0) :], value, told

    def changes(self, groups: Sequence[Group]) -> list[Change]:
        """All changes so far, in order."""
        for records, begin, told in self.since(len(self._read)):
            for group, lane, bucket, version, step, was, kind, number in records.tolist():
                width, first = len(groups[group].out), number - begin
                before = tuple(told[first : first + width].tolist()) if was == VALUE else None
                now = tuple(told[first + width : first + 2 * width].tolist()) if kind == VALUE else None
                self._read.append(Change(group, lane, bucket, version, step, was, kind, before, now))
        return self._read


def compare(
    log: Log, group: Group, lane: int, row: int, step: int, old: int, before: np.ndarray, raised: bool = False
) -> bool:
    """Emit what became of a recomputed cell; returns whether its readers must look again.

    `old` and `before` are its status and outputs before; equal bits are suppressed (E8), while a function that has
    just `raised` always tells (reading 17).
    """
    timeline = group.timeline
    assert timeline is not None
    new = int(group.S[row, lane])
    if new == GAP and old in (VALUE, NULL):
        new = NULL
        group.S[row, lane] = NULL
    now = timeline.V[row, group.out + lane]
    if raised:
        pass
    elif old == new:
        if new != VALUE or all(map(same, before.tolist(), now.tolist())):
            return False
    elif new == NONE:
        return False
    if old != NONE:
        group.version[row, lane] += 1
    log.ensure(2 * len(now))
    n, first = int(log.head[at.H_RECORD_COUNT]), int(log.head[at.H_TOLD_COUNT])
    version, bucket = int(group.version[row, lane]), int(timeline.bucket[row])
    log.records[n - log.first[0]] = (group.index, lane, bucket, version, step, old, new, first)
    at_told = first - log.first[1]
    log.told[at_told : at_told + 2 * len(now)] = [*before, *now]
    log.head[at.H_RECORD_COUNT] = n + 1
    log.head[at.H_TOLD_COUNT] = first + 2 * len(now)
    return True
