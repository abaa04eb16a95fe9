"""The plan and its state as tables of integers for compiled code (:mod:`qmtl.core.flow.layout`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from qmtl.core.flow import address_kernels as addresses
from qmtl.core.flow import correct_kernels
from qmtl.core.flow import layout as at
from qmtl.core.flow import rectangle_kernels as parts
from qmtl.core.flow.clock import Clocks
from qmtl.core.flow.emission import Log
from qmtl.core.flow.feed import Source
from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.panels import panels
from qmtl.core.flow.plan import EdgePlan, Group, Plan, Relation
from qmtl.core.flow.timeline import FOREVER, NEVER
from qmtl.core.graph.ir import NodeKind, OnLate

LOG_ROWS = 1024  # what clocks may do at least before what they closed is computed
SIGNATURES = {
    KernelKind.MAP: (at.MAP, addresses.MAP),
    KernelKind.WINDOW: (at.WINDOW, addresses.WINDOW),
    KernelKind.SCAN: (at.SCAN, addresses.SCAN),
    KernelKind.CROSS: (at.CROSS, addresses.CROSS),
}


class Book:
    """Owns every array whose address stands in its tables. `head` is what compiled code is given."""

    def __init__(self, plan: Plan, clocks: Clocks, closed: dict[int, int], log: Log, together: int) -> None:
        """`closed`: by interval, the plane that says when each clock closed each row; `together`: how many rows of a
        clock there is room for until what they closed is computed."""
        self._plan, self._clocks, self._closed, self._log, self._together = (
            plan,
            clocks,
            closed,
            log,
            together,
        )
        self._kept: list[np.ndarray] = []
        self.scans: dict[int, np.ndarray] = {}  # the state of scans, by group
        self.head = log.head
        log.moved = self.refresh
        self._timelines = np.zeros((len(plan.timelines), at.T_FIELDS), np.int64)
        for fields, timeline in zip(self._timelines, plan.timelines.values(), strict=True):
            fields[:] = timeline.fields
            fields[at.T_INTERVAL], fields[at.T_WIDTH] = timeline.interval, timeline.width
            timeline.fields, timeline.moved = fields, self.refresh
        self._groups = np.zeros((len(plan.groups), at.G_FIELDS), np.int64)
        edges: list[list[int]] = []
        for group in plan.groups:
            self._group(self._groups[group.index], group, edges)
        self._edges = np.array(edges, np.int64).reshape(-1, at.E_FIELDS)
        self._head()
        self.refresh()

    def feed(self, sources: list[Source]) -> None:
        """The sources and their bar entries, whose counts and positions live in the tables from now on."""
        table = np.zeros((at.S_FIELDS, len(sources)), np.int64)
        entries: list[list[int]] = []
        for row, source in zip(table.T, sources, strict=True):
            row[:] = source.fields
            row[at.S_FIRST_ENTRY] = len(entries)
            for entry in source.bars:
                take = self._keep(entry.take)
                horizon = entry.settings.allowed_lateness_ns
                home = [entry.group.index, entry.lane, entry.clock, take, len(entry.take)]
                entries.append([*home, -1 if horizon is None else horizon])
            row[at.S_END_ENTRY] = len(entries)
            late = {entry.settings.on_late for entry in source.bars}
            row[at.S_PANEL] = -1
            row[at.S_PLAIN] = late == {OnLate.RECOMPUTE}
            source.fields = row
        filled = np.zeros((at.N_FIELDS, len(entries)), np.int64)
        for row, given in zip(filled.T, entries, strict=True):
            row[: len(given)] = given
        bars = [entry for source in sources for entry in source.bars]
        for row, entry in zip(filled.T, bars, strict=True):
            entry.counts = row[at.N_ARRIVALS :]
        self._log.feed([(entry.group.nodes[entry.lane].node_id, len(entry.take)) for entry in bars])
        self.head[[at.H_SOURCES, at.H_SOURCE_COUNT]] = self._keep(table), len(sources)
        self.head[[at.H_ENTRIES, at.H_ENTRY_COUNT]] = self._keep(filled), len(entries)
        self._panels(table, filled, sources)
        count, head = len(sources), self.head
        head[at.H_ROW_KIND] = self._keep(np.zeros(count, np.uint8))
        head[at.H_ROW_SOURCE] = self._keep(np.arange(count, dtype=np.int32))
        head[at.H_ROW_TIMES] = self._keep(np.zeros((2, count), np.int64))
        head[at.H_ROW_PLACE] = self._keep(np.arange(count))
        width = max((int(entry.take.max()) + 1 for source in sources for entry in source.bars), default=0)
        head[at.H_ROW_VALUES] = self._keep(np.zeros((count, width)))
        head[at.H_ROW_TABLE] = self._keep(np.zeros((1, 2), np.int64))

    def _panels(self, table: np.ndarray, entries: np.ndarray, sources: list[Source]) -> None:
        rows = []
        for number, one in enumerate(panels(sources, self._clocks)):
            clocks = np.array(one.later or [], np.int64).reshape(-1, at.LATER)
            entry = int(table[at.S_FIRST_ENTRY, one.first])
            take = entries[[at.N_TAKE, at.N_TAKES], entry].tolist()
            home = [one.group.index, one.group.lanes, one.first, entry, int(one.group.clocks[0])]
            follow = -1 if one.later is None else len(clocks)
            rows.append([*home, *take, self._keep(clocks), follow, one.most])
            table[at.S_PANEL, one.first] = number
        made = np.array(rows, np.int64).reshape(-1, at.P_FIELDS)
        self.head[[at.H_PANELS, at.H_PANEL_COUNT]] = self._keep(made), len(made)

    def _keep(self, array: np.ndarray) -> int:
        """The address of an array that stays where it is."""
        assert array.flags.c_contiguous
        self._kept.append(array)
        return int(array.ctypes.data)

    def _numbers(self, values: Any) -> tuple[int, int]:
        array = np.array(values, np.int64)
        return self._keep(array), len(array)

    def _head(self) -> None:
        head, count = self.head, self._clocks.count
        for where, length, table in (
            (at.H_TIMELINES, at.H_TIMELINE_COUNT, self._timelines),
            (at.H_GROUPS, at.H_GROUP_COUNT, self._groups),
            (at.H_EDGES, at.H_EDGE_COUNT, self._edges),
        ):
            head[where], head[length] = self._keep(table), len(table)
        for where, table in (
            (at.H_CLOCKS, self._clocks.table),
            (at.H_INPUTS, self._clocks.inputs),
            (at.H_DEPS, self._clocks.deps),
        ):
            head[where] = self._keep(table)
        head[at.H_CLOCK_COUNT], head[at.H_TICK_COUNT] = count, len(self._clocks.ticks)
        head[at.H_INPUT_COUNT], head[at.H_DEP_COUNT] = len(self._clocks.inputs), len(self._clocks.deps)
        self.begin, self.end = np.full(count, FOREVER, np.int64), np.full(count, NEVER, np.int64)
        head[at.H_BEGIN], head[at.H_END] = self._keep(self.begin), self._keep(self.end)
        rows = max(LOG_ROWS, self._together * count) + 2 * count
        head[at.H_LOG], head[at.H_LOG_ROWS] = self._keep(np.zeros((rows, 4), np.int64)), rows
        head[at.H_PENDING] = self._keep(np.zeros(count + 1, np.int64))
        for where, part in (
            (at.H_STATUSES, parts.statuses),
            (at.H_VALUES, parts.values),
            (at.H_ACROSS, parts.cross),
            (at.H_CLOSE, parts.close_rectangle),  # last: it calls the others
        ):
            head[where] = addresses.address_of(part, addresses.PART)
        head[at.H_CORRECT] = addresses.address_of(correct_kernels.correct_group, addresses.CORRECT)
        self._ranges()
        lanes = max((g.lanes for g in self._plan.groups), default=1)
        head[at.H_WORK] = self._keep(np.zeros(at.BLOCK * lanes, np.uint8))
        head[at.H_AT] = self._keep(np.zeros(at.BLOCK * lanes, np.int64))
        head[at.H_MASK], head[at.H_HIGH] = self._keep(np.zeros(lanes, np.uint8)), NEVER
        head[at.H_AUTHORS] = bool((self._groups[:, at.G_KIND] == at.PYTHON).any())

    def _ranges(self) -> None:
        """Room for what has changed: a range of rows by lane, and the lanes that have one, by group."""
        first = 0
        for row, group in zip(self._groups, self._plan.groups, strict=True):
            row[at.G_RANGE] = first
            first += group.lanes
        self.ranges, self._lanes = np.zeros((first, 2), np.int64), np.zeros(first, np.int64)
        self.head[at.H_RANGES], self.head[at.H_LANE_COUNT] = self._keep(self.ranges), first
        self.head[at.H_CHANGED_LANES] = self._keep(self._lanes)

    def changed(self, group: Group) -> dict[int, range]:
        """Rows of each lane of a group that may have changed in this step."""
        row = self._groups[group.index]
        first = int(row[at.G_RANGE])
        lanes = self._lanes[first : first + int(row[at.G_CHANGED])].tolist()
        return {lane: range(*self.ranges[first + lane].tolist()) for lane in lanes}

    def kind(self, group: Group) -> int:
        """What compiled code takes a group for."""
        return int(self._groups[group.index, at.G_KIND])

    def refresh(self) -> None:
        """Addresses of what moves when a timeline or the log grows."""
        head, log = self.head, self._log
        first, told = log.first  # compiled code counts from the first piece on
        head[at.H_RECORDS] = log.records.ctypes.data - first * log.records.strides[0]
        head[at.H_TOLD] = log.told.ctypes.data - told * log.told.strides[0]
        head[at.H_RECORD_ROOM], head[at.H_TOLD_ROOM] = first + len(log.records), told + len(log.told)
        for fields, timeline in zip(self._timelines, self._plan.timelines.values(), strict=True):
            closed = timeline.planes[self._closed[timeline.interval]]
            fields[at.T_V], fields[at.T_BUCKET] = timeline.V.ctypes.data, timeline.bucket.ctypes.data
            fields[at.T_CLOSED], fields[at.T_CAPACITY] = closed.ctypes.data, len(timeline.V)
        for row, group in zip(self._groups, self._plan.groups, strict=True):
            if group.timeline is not None:
                row[at.G_S], row[at.G_M] = group.S.ctypes.data, group.M.ctypes.data
                row[at.G_N], row[at.G_VERSIONS] = group.N.ctypes.data, group.version.ctypes.data
                if group.copies >= 0:
                    row[at.G_COPIES] = group.timeline.copies[group.copies].ctypes.data

    def _group(self, row: np.ndarray, group: Group, edges: list[list[int]]) -> None:
        kernel = group.kernel
        row[at.G_KIND] = _kind(group)
        row[at.G_LANES] = group.lanes
        if group.timeline is None:
            return
        row[at.G_TIMELINE] = list(self._plan.timelines).index(group.interval)
        row[at.G_WIDTH] = group.M.shape[1]
        row[at.G_CLOCKS] = self._keep(np.ascontiguousarray(group.clocks))
        row[at.G_CLOCK_FIRST], row[at.G_CLOCK_STEP] = group.clocks[0], _step(group.clocks)
        row[at.G_FIRST_EDGE] = len(edges)
        edges.extend(self._edge(group, edge) for edge in group.edges)
        row[at.G_END_EDGE] = len(edges)
        row[at.G_NEEDS_ROW] = any(e.relation is Relation.OWN and e.required for e in group.edges)
        row[at.G_ROWS] = group.rows
        for where, length, array in (
            (at.G_OUT, at.G_OUTS, group.out),
            (at.G_IN, at.G_INS, group.ins),
            (at.G_ARGS, at.G_ARG_COUNT, group.args),
        ):
            row[where], row[length] = self._keep(array), len(array)
        row[at.G_ORIGIN] = self._keep(np.ascontiguousarray(group.origin))
        mine = edges[int(row[at.G_FIRST_EDGE]) :]
        plain = [e[at.E_RELATION] == Relation.OWN and e[at.E_FIRST_LANE] >= 0 for e in mine]
        row[at.G_PLAIN] = len(plain) > 0 and all(plain)
        row[at.G_GATHERS] = any(e.scratch >= 0 and e.relation is Relation.OWN for e in group.edges)
        if kernel is None:
            return
        row[at.G_MAY_NULL], row[at.G_SINGLE], row[at.G_MIN_COUNT] = (
            kernel.may_null,
            kernel.single_lane,
            kernel.min_count,
        )
        if kernel.kind is KernelKind.SCAN:
            self.scans[group.index] = np.zeros((kernel.state_words, group.lanes))
            row[at.G_STATE] = self._keep(self.scans[group.index])
            row[at.G_STATES] = kernel.state_words
        memo = np.zeros((max(kernel.memo_rows, 1), group.lanes))
        row[at.G_MEMO], row[at.G_MEMO_ROWS] = self._keep(memo), len(memo)
        if kernel.kind is KernelKind.RESAMPLE:
            row[at.G_METHODS] = self._numbers(group.args.astype(np.int64))[0]
        else:
            row[at.G_FUNCTION] = addresses.address_of(kernel.load(), SIGNATURES[kernel.kind][1])

    def _edge(self, group: Group, edge: EdgePlan) -> list[int]:
        lanes, up = np.ascontiguousarray(edge.lanes), edge.up
        beside = bool(np.all(lanes == lanes[0] + np.arange(len(lanes))))
        columns, count = self._numbers(up.out[list(edge.columns)] if len(up.out) else [])
        row = np.zeros(at.E_FIELDS, np.int64)
        row[at.E_UP], row[at.E_LANES], row[at.E_RELATION] = up.index, self._keep(lanes), edge.relation
        row[at.E_REQUIRED], row[at.E_COMPUTED], row[at.E_COMPLETE] = (
            edge.required,
            edge.computed,
            edge.complete,
        )
        row[at.E_SCRATCH], row[at.E_COLUMNS], row[at.E_COLUMN_COUNT] = edge.scratch, columns, count
        row[at.E_SINCE], row[at.E_UNTIL] = edge.since, edge.until
        row[at.E_FIRST_LANE] = lanes[0] if beside and len(lanes) == group.lanes else -1
        return row.tolist()


def _step(clocks: np.ndarray) -> int:
    """1 where the lanes' clocks follow each other, 0 where there is one for all, else -1."""
    apart = set(np.diff(clocks).tolist())
    return 0 if apart <= {0} else 1 if apart == {1} else -1


def _kind(group: Group) -> int:
    if group.kind is NodeKind.TICKS:
        return at.NOTHING
    if group.kind in (NodeKind.BARS, NodeKind.REMOTE):
        return at.BARS
    kernel = group.kernel
    if kernel is None:
        return at.PYTHON
    if kernel.kind is KernelKind.RESAMPLE:
        return at.PYTHON if group.edges[0].relation is Relation.TICK else at.RESAMPLE
    return SIGNATURES[kernel.kind][0]
