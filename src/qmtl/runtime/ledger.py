"""The ledger: everything a node emitted, in order, as columns (SEMANTICS E8).

What closed in order is read from the engine's statuses, what changed afterwards from its log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmtl.core.flow.emission import Change
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import FAILED, GAP, HALTED, NONE, NULL, PENDING, VALUE
from qmtl.core.graph.ir import NodeKind

Changes = Mapping[tuple[int, int], Sequence[Change]]  # by group and lane
KINDS = {VALUE: "initial", GAP: "gap", FAILED: "failed"}
_KIND = np.array([KINDS.get(status) for status in range(256)], object)


@dataclass(slots=True)
class Emissions:
    """Columns of equal length, in order of emission. Times in ns UTC; values are (n, outputs), NaN where none."""

    bucket: NDArray[np.int64]
    until: NDArray[np.int64]  # exclusive: one interval on, or the end of a run of gaps
    version: NDArray[np.int32]
    kind: NDArray[Any]  # "initial", "correction", "gap", "failed"
    value: NDArray[np.float64]
    has_value: NDArray[np.bool_]
    retract: NDArray[np.float64]
    has_retract: NDArray[np.bool_]
    step: NDArray[np.int64]

    def take(self, order: NDArray[Any]) -> Emissions:
        return Emissions(*(getattr(self, name)[order] for name in self.__slots__))


@dataclass(slots=True)
class Cells:
    """The closed rows of one node: bucket, status, value and closing arrival."""

    bucket: NDArray[np.int64]
    status: NDArray[np.uint8]
    value: NDArray[np.float64]  # (rows, outputs)
    step: NDArray[np.int64]


def cells_of(engine: Engine, group: Group, lane: int, start: int) -> Cells:
    """What stands in the closed buckets from `start` on: the final table (E15)."""
    timeline = group.timeline
    assert timeline is not None
    bucket, clock = timeline.bucket[: timeline.rows], group.clocks[lane]  # buckets ascend
    keep = slice(*np.searchsorted(bucket, [start, engine.clocks.next[clock]]).tolist())
    plane = timeline.planes[engine.flow.closed_at[group.interval]]
    steps = plane[keep, clock].astype(np.int64) - 1  # rows older than all data have no closing arrival
    status = np.asarray(group.S)[keep, lane].copy()
    value = np.take(timeline.V[keep], group.out + lane, axis=1)
    if len(unknown := np.flatnonzero(status != VALUE)):
        value[unknown] = np.nan
    return Cells(bucket[keep].copy(), status, value, steps)


def first_version(cells: Cells, changes: list[Change]) -> tuple[Cells, NDArray[np.bool_]]:
    """The same cells as they were first emitted, and which of them were emitted when their bucket closed."""
    in_time = np.ones(len(cells.status), np.bool_)
    if not changes:
        return cells, in_time
    status, value, step = cells.status.copy(), cells.value.copy(), cells.step.copy()
    seen: set[int] = set()
    for change in changes:
        if change.bucket in seen:
            continue
        seen.add(change.bucket)
        at = int(np.searchsorted(cells.bucket, change.bucket))
        if at == len(cells.bucket) or cells.bucket[at] != change.bucket:
            continue
        if change.version == 0:
            in_time[at], step[at] = False, change.step
            status[at] = change.kind
            value[at] = np.nan if change.value is None else change.value
        else:
            status[at] = change.was
            value[at] = np.nan if change.retract is None else change.retract
    return Cells(cells.bucket, status, value, step), in_time


def changes_by_lane(engine: Engine) -> Changes:
    """All changes by (group, lane): to be asked for once by whoever reads the ledgers of many nodes."""
    found: dict[tuple[int, int], list[Change]] = {}
    for change in engine.flow.changes():
        found.setdefault((change.group, change.lane), []).append(change)
    return found


def emissions(engine: Engine, group: Group, lane: int, start: int, known: Changes | None = None) -> Emissions:
    """Everything lane `lane` of `group` emitted for buckets from `start` on; `known`: all changes by lane."""
    mine = (changes_by_lane(engine) if known is None else known).get((group.index, lane), ())
    changes = [change for change in mine if change.bucket >= start]
    cells, in_time = first_version(cells_of(engine, group, lane, start), changes)
    recorded = ~np.isin(cells.status, [NONE, PENDING, HALTED, NULL]) & in_time
    if group.kind is NodeKind.BARS:
        recorded &= cells.status == VALUE
    at = np.flatnonzero(recorded)
    initial = _initial(group, cells, at)
    late = _late(group, changes)
    joined = Emissions(
        *(np.concatenate([getattr(initial, n), getattr(late, n)]) for n in Emissions.__slots__)
    )
    rank = np.concatenate([np.ones(len(initial.step)), np.zeros(len(late.step))])
    return joined.take(np.lexsort((joined.bucket, rank, joined.step)))


def _initial(group: Group, cells: Cells, at: NDArray[Any]) -> Emissions:
    bucket, status, step = cells.bucket[at], cells.status[at], cells.step[at]
    gap = status == GAP
    joins = np.zeros(len(at), np.bool_)
    if len(at):
        joins[1:] = gap[1:] & gap[:-1] & (np.diff(bucket) == group.interval) & (np.diff(step) == 0)
    first = np.flatnonzero(~joins)
    last = np.append(first[1:], len(at)) - 1 if len(first) else first
    count, width = len(first), len(group.out)
    return Emissions(
        bucket[first],
        bucket[last] + group.interval,
        np.zeros(count, np.int32),
        _KIND[status[first]],
        cells.value[at][first],
        status[first] == VALUE,
        np.full((count, width), np.nan),
        np.zeros(count, np.bool_),
        step[first],
    )


def _late(group: Group, changes: list[Change]) -> Emissions:
    width = len(group.out)

    def rows(values: list[tuple[float, ...] | None]) -> NDArray[np.float64]:
        return np.array([[np.nan] * width if v is None else v for v in values], np.float64).reshape(-1, width)

    def kind(change: Change) -> str:
        return KINDS[change.kind] if change.version == 0 or change.kind == FAILED else "correction"

    bucket = np.array([c.bucket for c in changes], np.int64)
    return Emissions(
        bucket,
        bucket + group.interval,
        np.array([c.version for c in changes], np.int32),
        np.array([kind(c) for c in changes], object),
        rows([c.value for c in changes]),
        np.array([c.value is not None for c in changes], np.bool_),
        rows([c.retract for c in changes]),
        np.array([c.retract is not None for c in changes], np.bool_),
        np.array([c.step for c in changes], np.int64),
    )
