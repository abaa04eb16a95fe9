"""The plan: concrete nodes as groups of lanes, in topological order; pure data plus storage offsets.

Nodes that differ only in their upstream are lanes of one :class:`Group`. When the buckets of a node close
depends only on its inputs' closings, so nodes share **clocks** (:mod:`qmtl.core.flow.clock`): a node over one input
of its own interval closes exactly when that input does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from qmtl.core.flow import layout
from qmtl.core.flow.kernel import Kernel, KernelKind
from qmtl.core.flow.timeline import FOREVER, NEVER, Timeline
from qmtl.core.graph.ir import Edge, Node, NodeKind, Window

I64 = NDArray[np.int64]


class Relation(IntEnum):
    OWN = layout.OWN
    FINER = layout.FINER
    COARSER = layout.COARSER
    TICK = layout.TICK


@dataclass(slots=True, eq=False)
class EdgePlan:
    """One input of a group: for lane `l` it reads lane `lanes[l]` of group `up`."""

    name: str
    up: Group
    lanes: I64
    columns: tuple[int, ...]  # output numbers of `up`
    names: tuple[str, ...]
    relation: Relation
    window: Window
    required: bool
    complete: bool
    single: bool
    since: int = NEVER  # E16, ns
    until: int = FOREVER
    scratch: int = -1  # offset of gathered columns in V, or -1: read in place

    @property
    def computed(self) -> bool:
        """Whether the input can be in warm-up (streams of events never are)."""
        return self.up.kind not in (NodeKind.BARS, NodeKind.TICKS)


@dataclass(slots=True, eq=False)
class Group:
    """Lanes of one kernel (or function). `nodes[l]` is lane `l`; a CROSS group has one node and many lanes."""

    index: int
    kind: NodeKind
    nodes: list[Node]
    interval: int
    timeline: Timeline | None  # None: a tick stream
    lanes: int
    outputs: tuple[str, ...]
    kernel: Kernel | None = None
    edges: list[EdgePlan] = field(default_factory=list)
    rows: int = 1  # the largest P of its own-interval edges (warm-up)
    out: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    copies: int = -1  # SCAN: index of its plane of state copies
    ins: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    args: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    clocks: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # per lane
    origin: I64 = field(default_factory=lambda: np.zeros(0, np.int64))  # per lane, ns
    planes: tuple[int, int, int, int] = (-1, -1, -1, -1)
    readers: list[tuple[Group, EdgePlan]] = field(default_factory=list)

    @property
    def S(self) -> NDArray[np.uint8]:
        """Status per row and lane."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[0]]  # type: ignore[return-value]

    @property
    def M(self) -> NDArray[np.uint8]:
        """1 where the cell is a row of the node (E5)."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[1]]  # type: ignore[return-value]

    @property
    def N(self) -> NDArray[np.int32]:
        """Rows up to and including this one."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[2]]  # type: ignore[return-value]

    @property
    def version(self) -> NDArray[np.int32]:
        """Latest version of each cell."""
        assert self.timeline is not None
        return self.timeline.planes[self.planes[3]]  # type: ignore[return-value]

    @property
    def compiled(self) -> bool:
        return self.kind in (NodeKind.OPERATOR, NodeKind.CROSS)


@dataclass(slots=True, eq=False)
class Plan:
    """Groups in topological order, where each node lives, and one timeline per interval."""

    groups: list[Group]
    home: dict[str, tuple[Group, int]]  # node id -> group and lane (CROSS: lane 0)
    timelines: dict[int, Timeline]


def relation(interval: int | None, up: int | None) -> Relation:
    """How an input of interval `up` stands to a node of `interval`."""
    if up is None:
        return Relation.TICK
    assert interval is not None
    return Relation.OWN if up == interval else Relation.FINER if up < interval else Relation.COARSER


def source_of(edge: Edge) -> tuple[Node, int]:
    """The node that holds an edge's values, and the lane within it (a SELECT is a lane of its CROSS)."""
    node = edge.node
    if node.kind is NodeKind.SELECT:
        cross = node.edges[0].node
        return cross, cross.members.index(node.stream or "")
    return node, -1


def build(nodes: list[Node]) -> Plan:
    """Plan concrete `nodes` (topological order, unique ids; no QUERY left)."""
    plan = Plan([], {}, {})
    classes: dict[object, list[Node]] = {}
    class_of: dict[str, object] = {}
    for node in nodes:
        if node.kind is NodeKind.SELECT:
            continue
        key = _likeness(node, class_of)
        class_of[node.node_id] = key
        classes.setdefault(key, []).append(node)
    for members in classes.values():
        _add(plan, members)
    return plan


def _likeness(node: Node, class_of: dict[str, object]) -> object:
    """What lanes of one group have in common."""
    if node.kind is NodeKind.BARS:
        return (node.kind, node.interval_ns, node.outputs, node.event_time)
    edges = tuple(
        (e.name, class_of[source_of(e)[0].node_id], e.columns, e.window, e.required, e.complete)
        for e in node.edges
    )
    if node.kind is NodeKind.OPERATOR and not any(e.node.interval_ns is None for e in node.edges):
        return (node.kind, node.operator, node.params, node.interval_ns, edges, node.closing)
    return (node.kind, node.node_id)  # functions, crosses and readers of ticks stand alone


def _add(plan: Plan, members: list[Node]) -> None:
    node = members[0]
    if node.kind is NodeKind.OPERATOR and node.edges:
        home = plan.home
        members.sort(key=lambda n: [_lane(home, e) for e in n.edges])
        node = members[0]
    interval = node.interval_ns
    timeline = None
    if interval is not None:
        timeline = plan.timelines.setdefault(interval, Timeline(interval))
    cross = node.kind is NodeKind.CROSS
    lanes = len(members)
    if cross:
        assert node.kernel is not None
        lanes = 1 if node.kernel.single_lane else len(node.edges)
    group = Group(
        len(plan.groups), node.kind, members, interval or 0, timeline, lanes, node.outputs, node.kernel
    )
    if cross:
        plan.home.update({node.node_id: (group, 0)})
    else:
        plan.home.update({n.node_id: (group, lane) for lane, n in enumerate(members)})
    group.edges = _cross_edge(plan, group) if cross else _edges(plan, group)
    own = [e.window.rows or 1 for e in group.edges if e.relation is Relation.OWN and e.window.rows]
    group.rows = 1 if cross else max(own, default=1)
    _allocate(plan, group)
    for edge in group.edges:
        edge.up.readers.append((group, edge))
    plan.groups.append(group)


def _lane(home: dict[str, tuple[Group, int]], edge: Edge) -> int:
    node, lane = source_of(edge)
    return home[node.node_id][1] if lane < 0 else lane


def _edges(plan: Plan, group: Group) -> list[EdgePlan]:
    result = []
    for number, edge in enumerate(group.nodes[0].edges):
        up = plan.home[source_of(edge)[0].node_id][0]
        lanes = np.array([_lane(plan.home, n.edges[number]) for n in group.nodes], np.int64)
        columns = tuple(up.outputs.index(c) for c in edge.columns)
        result.append(
            EdgePlan(
                edge.name,
                up,
                lanes,
                columns,
                edge.columns,
                relation(group.interval, up.interval or None),
                edge.window,
                edge.required,
                edge.complete,
                edge.single,
            )
        )
    return result


def _cross_edge(plan: Plan, group: Group) -> list[EdgePlan]:
    """All lanes of a cross-section as edges that read one lane each; grouped by their upstream group."""
    result = []
    for edge in group.nodes[0].edges:
        up = plan.home[source_of(edge)[0].node_id][0]
        lanes = np.array([_lane(plan.home, edge)], np.int64)
        result.append(
            EdgePlan(
                edge.name,
                up,
                lanes,
                (up.outputs.index(edge.columns[0]),),
                edge.columns,
                Relation.OWN,
                edge.window,
                False,
                False,
                True,
                NEVER if edge.since_ns is None else edge.since_ns,
                FOREVER if edge.until_ns is None else edge.until_ns,
            )
        )
    return result


def _allocate(plan: Plan, group: Group) -> None:
    """Reserve value columns, state, gathered inputs and planes."""
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
    if group.kind is NodeKind.BARS:
        none = timeline.plane(0, np.uint8), timeline.plane(0, np.int32)
        group.planes = (timeline.plane(lanes, np.uint8), *none, timeline.plane(lanes, np.int32))
        return
    if group.kind is NodeKind.CROSS:
        group.ins = np.array([_cross_offset(group, timeline)], np.int64)
    elif group.kind is NodeKind.OPERATOR and kernel is not None and kernel.kind is not KernelKind.RESAMPLE:
        group.ins = np.array(
            [_input_offset(group, edge, c) for edge in group.edges for c in edge.columns], np.int64
        )
    rows = _rows_alike(plan, group) or (timeline.plane(width, np.uint8), timeline.plane(lanes, np.int32))
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


def _rows_alike(plan: Plan, group: Group) -> tuple[int, int] | None:
    """The planes of rows of a group whose required own-interval inputs are the same, if there is one (E5)."""
    if group.kind is not NodeKind.OPERATOR or group.kernel is None or group.kernel.may_null:
        return None
    key = _own_inputs(group)
    if not key:
        return None
    for other in plan.groups:
        if other.kind is group.kind and other.timeline is group.timeline and _own_inputs(other) == key:
            assert other.kernel is not None
            if not other.kernel.may_null:
                return other.planes[1], other.planes[2]
    return None


def _own_inputs(group: Group) -> list[tuple[int, bytes, bool]]:
    own = [edge for edge in group.edges if edge.relation is Relation.OWN]
    return sorted({(edge.up.index, edge.lanes.tobytes(), edge.required) for edge in own})


def _input_offset(group: Group, edge: EdgePlan, column: int) -> int:
    """Where the kernel reads an input: in place when the lanes lie side by side, else gathered."""
    contiguous = bool(np.all(edge.lanes == edge.lanes[0] + np.arange(group.lanes)))
    if edge.relation is Relation.OWN and contiguous:
        return int(edge.up.out[column] + edge.lanes[0])
    assert group.timeline is not None
    if edge.scratch < 0:
        edge.scratch = group.timeline.cells(group.lanes * len(edge.columns))
    return edge.scratch + edge.columns.index(column) * group.lanes
