"""What changed after its bucket had closed: late version 0, corrections, withdrawals (E8).

What closes in order is not logged: it can be read from the statuses and from when each clock closed each row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    Changes are kept as columns, which compiled code fills too: `head` says how much of `records` and `told` is used.
    """

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self.failures: list[Failure] = []
        self.inputs: dict[tuple[int, int], list[tuple[int, int, Any, list[str]]]] = {}
        self.records = np.zeros((ROOM, at.R_FIELDS), np.int64)
        self.told = np.zeros(8 * ROOM)
        self.head = np.zeros(at.H_FIELDS, np.int64)
        self.moved: Callable[[], None] = lambda: None  # called when the columns have moved
        self._read: list[Change] = []

    def grow(self) -> None:
        """Twice the room."""
        self.records = np.concatenate([self.records, np.zeros_like(self.records)])
        self.told = np.concatenate([self.told, np.zeros_like(self.told)])
        self.moved()

    def ensure(self, values: int) -> None:
        """Room for one more record of so many values."""
        while self.head[at.H_RECORD_COUNT] >= len(self.records) or self.head[at.H_TOLD_COUNT] + values > len(
            self.told
        ):
            self.grow()

    def changes(self, groups: Sequence[Group]) -> list[Change]:
        """All changes so far, in order."""
        count = int(self.head[at.H_RECORD_COUNT])
        for group, lane, bucket, version, step, was, kind, first in self.records[
            len(self._read) : count
        ].tolist():
            width = len(groups[group].out)
            before = tuple(self.told[first : first + width].tolist()) if was == VALUE else None
            now = tuple(self.told[first + width : first + 2 * width].tolist()) if kind == VALUE else None
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
    log.records[n] = (group.index, lane, bucket, version, step, old, new, first)
    log.told[first : first + 2 * len(now)] = [*before, *now]
    log.head[at.H_RECORD_COUNT] = n + 1
    log.head[at.H_TOLD_COUNT] = first + 2 * len(now)
    return True
