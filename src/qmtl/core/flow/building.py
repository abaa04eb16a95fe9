"""From concrete nodes to a plan: which nodes are lanes of one group, and what each reads."""

from __future__ import annotations

import numpy as np

from qmtl.core.flow.plan import EdgePlan, Group, Plan, Relation
from qmtl.core.flow.storage import allocate
from qmtl.core.flow.timeline import FOREVER, NEVER, Timeline
from qmtl.core.graph.ir import Edge, Node, NodeKind

ALIKE = (NodeKind.OPERATOR, NodeKind.FUNCTION)  # kinds of which many nodes are lanes of a group


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
    if node.kind is NodeKind.REMOTE and node.meta["lanes"] == 1:
        return (node.kind, node.interval_ns, node.outputs, node.stream is None)
    edges = tuple(
        (e.name, class_of[source_of(e)[0].node_id], e.columns, e.window, e.required, e.complete)
        for e in node.edges
    )
    if node.kind in ALIKE and not any(e.node.interval_ns is None for e in node.edges):
        if node.kind is NodeKind.OPERATOR:
            return (node.kind, node.operator, node.params, node.interval_ns, edges, node.closing)
        shown = tuple(e.single for e in node.edges)
        told = (node.function, repr(node.params), node.outputs, node.wants_watermark, node.vectorized)
        return (node.kind, told, node.interval_ns, edges, shown, node.closing)
    return (node.kind, node.node_id)  # crosses and readers of ticks stand alone


def _add(plan: Plan, members: list[Node]) -> None:
    node = members[0]
    if node.kind in ALIKE and node.edges:
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
    elif node.kind is NodeKind.REMOTE and lanes == 1:
        lanes = node.meta["lanes"]
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
    allocate(plan, group)
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
