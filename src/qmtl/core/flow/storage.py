"""Where each group keeps its values, statuses and counts in its timeline."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.plan import EdgePlan, Group, Plan, Relation
from qmtl.core.flow.timeline import FOREVER, NEVER, Timeline
from qmtl.core.graph.ir import NodeKind


def allocate(plan: Plan, group: Group) -> None:
    """Reserve value columns, state, gathered inputs and planes of a group; `plan` has those before it."""
    timeline, kernel = group.timeline, group.kernel
    if timeline is None:
        return
    lanes = group.lanes
    group.out = np.array([timeline.cells(lanes) for _ in group.outputs], np.int64)
    if kernel is not None:
        group.args = np.array(kernel.args, np.float64)
        if kernel.kind is KernelKind.SCAN:
            group.copies = timeline.copy(kernel.state_words * lanes)
    width = len(group.edges) if group.kind is NodeKind.CROSS else lanes
    if group.kind in (NodeKind.BARS, NodeKind.REMOTE):
        none = timeline.plane(0, np.uint8), timeline.plane(0, np.int32)
        group.planes = (timeline.plane(lanes, np.uint8), *none, timeline.plane(lanes, np.int32))
        return
    if group.kind is NodeKind.CROSS:
        group.ins = np.array([_cross_offset(group, timeline)], np.int64)
    elif group.kind is NodeKind.OPERATOR and kernel is not None and kernel.kind is not KernelKind.RESAMPLE:
        group.ins = np.array(
            [_input_offset(group, edge, c) for edge in group.edges for c in edge.columns], np.int64
        )
    alike = _rows_of(group)
    rows = plan.rows.get(alike) or (timeline.plane(width, np.uint8), timeline.plane(lanes, np.int32))
    if alike is not None:
        plan.rows[alike] = rows
    group.planes = (timeline.plane(lanes, np.uint8), *rows, timeline.plane(lanes, np.int32))


def _cross_offset(group: Group, timeline: Timeline) -> int:
    """Where a cross-section reads its lanes: in place when they lie side by side, else gathered."""
    first, lanes = group.edges[0], np.array([int(edge.lanes[0]) for edge in group.edges])
    alike = all(edge.up is first.up and edge.columns == first.columns for edge in group.edges)
    always = all(edge.since == NEVER and edge.until == FOREVER for edge in group.edges)
    if alike and always and bool(np.all(lanes == lanes[0] + np.arange(len(lanes)))):
        return int(first.up.out[first.columns[0]] + lanes[0])
    offset = timeline.cells(len(lanes))
    for number, edge in enumerate(group.edges):
        edge.scratch = offset + number
    return offset


def _rows_of(group: Group) -> object:
    """What says which of its cells are rows (E5): interval and own-interval inputs; None where they are its alone."""
    if group.kind is not NodeKind.OPERATOR or group.kernel is None or group.kernel.may_null:
        return None
    own = [edge for edge in group.edges if edge.relation is Relation.OWN]
    inputs = frozenset((edge.up.index, edge.lanes.tobytes(), edge.required) for edge in own)
    return (group.interval, inputs) if inputs else None


def _input_offset(group: Group, edge: EdgePlan, column: int) -> int:
    """Where the kernel reads an input: in place when the lanes lie side by side, else gathered."""
    contiguous = bool(np.all(edge.lanes == edge.lanes[0] + np.arange(group.lanes)))
    if edge.relation is Relation.OWN and contiguous:
        return int(edge.up.out[column] + edge.lanes[0])
    assert group.timeline is not None
    if edge.scratch < 0:
        edge.scratch = group.timeline.cells(group.lanes * len(edge.columns))
    return edge.scratch + edge.columns.index(column) * group.lanes
