"""Substituting members for tag queries: lifted nodes become one concrete node per member.

A QUERY becomes the source streams it finds; an operator or function over a panel one node per member, with
the id it would have had written without the panel; a CROSS reads one edge per member but keeps the id of its
query form, which must not depend on what the query finds today. A SELECT of a member is that member; only of
a CROSS it stays a node. Nodes of equal content become one object, also across graphs.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from qmtl.core.errors import UserError
from qmtl.core.graph.bundle import bundled
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import Column, Edge, EventTime, Graph, Node, NodeKind
from qmtl.core.graph.node_id import identified
from qmtl.core.graph.tags import parse
from qmtl.core.graph.walk import roots, topological

V = TypeVar("V")
Span = tuple[int | None, int | None]
Members = Callable[[Node], Sequence[tuple[str, Iterable[str]]]]


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What a node became: a concrete node, and its column for each output of the original."""

    node: Node
    columns: tuple[str, ...]


_Lanes = dict[str, _Resolved]


def expand(
    graphs: Iterable[Graph], members: Members, between: Mapping[str, Span] | None = None
) -> list[Graph]:
    """The graphs without tag queries. `members(query)` lists streams of a query's interval with their tags.

    Those whose tags fulfil the query become its members, in the order of their ids; every stream has the tags
    `interval=5m` and `id=BTC`. `between`: from when and until when (ns) a stream belongs to cross-sections over
    queries that find it (E16); the others always do.
    """
    expansion = _Expansion(members, between or {})
    return [expansion.graph(one) for one in graphs]


def _queries(node: Node) -> str:
    """The tag queries above `node`, as text."""
    return "; ".join(str(one.stream) for one in topological([node]) if one.kind is NodeKind.QUERY)


class _Expansion:
    def __init__(self, members: Members, between: Mapping[str, Span]) -> None:
        self._members = members
        self._between = between
        self._found: dict[str, dict[str, frozenset[str]]] = {}  # by the query's id: asked once
        self._nodes: dict[str, Node] = {}  # by id: equal content is one object
        self._done: dict[Node, _Resolved | _Lanes] = {}
        self._crosses: dict[Node, Node] = {}

    def graph(self, graph: Graph) -> Graph:
        for node in topological([*roots(graph), *graph.declared]):
            if node not in self._done:
                self._done[node] = self._resolve(node)
        outputs: dict[str, Column] = {}
        for name, column in graph.outputs.items():
            _add_all(outputs, self._columns(name, column))
        targets: dict[str, tuple[Node, Column]] = {}
        for traded, weight in graph.targets.values():
            _add_all(targets, self._targets(traded, weight))
        declared = (node for one in graph.declared for node in self._concrete(one))
        return replace(graph, outputs=outputs, targets=targets, declared=tuple(declared))

    def _resolve(self, node: Node) -> _Resolved | _Lanes:
        if node.kind is NodeKind.QUERY:
            return {
                stream: _plain(self._same(_source(node, stream, tags)))
                for stream, tags in self._find(node).items()
            }
        if node.kind is NodeKind.PANEL:
            return {edge.name: self._only(edge) for edge in node.edges}
        if node.kind is NodeKind.SELECT:
            return self._selected(node)
        if node.kind is NodeKind.CROSS:
            return self._cross(node)
        lifted = [lanes for edge in node.edges if isinstance(lanes := self._done[edge.node], dict)]
        if not lifted:
            return _plain(self._rebuilt(node, ""))
        names = [name for name in lifted[0] if all(name in lanes for lanes in lifted[1:])]
        return {name: _plain(self._rebuilt(node, name)) for name in names}

    def _find(self, query: Node) -> dict[str, frozenset[str]]:
        if query.node_id not in self._found:
            asked = parse(query.stream or "")
            interval = f"interval={Duration.from_ns(query.interval_ns or 0)}"
            found = {stream: frozenset(tags) for stream, tags in self._members(query)}
            self._found[query.node_id] = {
                stream: found[stream]
                for stream in sorted(found)
                if asked.matches({*found[stream], interval, f"id={stream}"})
            }
        return self._found[query.node_id]

    def _same(self, node: Node) -> Node:
        """The node of this content; where two differ in what they ask of a runtime, the stricter wins."""
        known = self._nodes.setdefault(node.node_id, node)
        if known is not node and "tolerance" in node.meta:
            compat = {known.meta["runtime_compat"], node.meta["runtime_compat"]}
            known.meta["runtime_compat"] = max(compat)  # loose < strict
            known.meta["tolerance"] = min(known.meta["tolerance"], node.meta["tolerance"])
            said = {known.meta["cache"], node.meta["cache"]}
            if len(said) > 1:
                known.meta["cache"] = "never" if "never" in said else "always"
        return known

    def _rebuilt(self, node: Node, member: str) -> Node:
        """The node over what its upstreams became; `member` chooses their lane."""
        became = [self._lane(edge, member) for edge in node.edges]
        moved = any(new.node.node_id != old.node.node_id for new, old in zip(became, node.edges, strict=True))
        if not moved and node.node_id in self._nodes:
            return self._same(node)
        edges = tuple(_over(edge, lane) for edge, lane in zip(node.edges, became, strict=True))
        made = replace(node, edges=bundled(edges) if node.kind is NodeKind.OPERATOR else edges)
        return self._same(identified(made) if moved else made)

    def _lane(self, edge: Edge, member: str) -> _Resolved:
        became = self._done[edge.node]
        return became[member] if isinstance(became, dict) else became

    def _only(self, edge: Edge) -> _Resolved:
        became = self._done[edge.node]
        if isinstance(became, dict):
            raise UserError(
                f"the member {edge.name!r} of a panel is itself a panel",
                place=edge.node.place,
                cure='choose a lane: panel["BTC"]',
            )
        return _Resolved(became.node, _mapped(edge, became))

    def _selected(self, node: Node) -> _Resolved:
        edge, member = node.edges[0], node.stream or ""
        lanes = self._done[edge.node]
        if not isinstance(lanes, dict):
            return _Resolved(lanes.node, _mapped(edge, lanes))
        if member not in lanes:
            near = difflib.get_close_matches(member, lanes, n=1)
            cure = f"did you mean {near[0]!r}?" if near else f"found are {', '.join(lanes) or 'none'}"
            raise UserError(f"the panel has no member {member!r}", place=node.place, cure=cure)
        return _Resolved(lanes[member].node, _mapped(edge, lanes[member]))

    def _cross(self, node: Node) -> _Resolved | _Lanes:
        made = self._crosses[node] = self._same(self._over_members(node))
        if made.kernel is not None and made.kernel.single_lane:
            return _plain(made)
        edge = Edge("panel", made, made.outputs)
        select = Node(NodeKind.SELECT, "select", made.interval_ns, made.outputs, (edge,), place=made.place)
        return {name: _plain(self._same(identified(replace(select, stream=name)))) for name in made.members}

    def _over_members(self, node: Node) -> Node:
        if node.members:  # explicit: its members are part of its id
            return identified(
                replace(node, edges=tuple(_over(edge, self._lane(edge, edge.name)) for edge in node.edges))
            )
        (edge,) = node.edges
        lanes = self._done[edge.node]
        if not isinstance(lanes, dict):
            raise UserError(
                f"cross.{node.operator} reads one series, not a panel", place=node.place, cure="Panel({…})"
            )
        if not lanes:
            raise UserError(
                f"cross.{node.operator} has no members: its tag query finds no stream",
                place=node.place,
                value=_queries(node),
                cure="give data as a dict id → data, or a Catalog with tags; every stream has the tags "
                "`interval=1m` and `id=…` of its own",
            )
        always: Span = (None, None)
        edges = []
        for name, lane in lanes.items():
            since, until = self._between.get(name, always)
            edges.append(replace(_over(edge, lane), name=name, since_ns=since, until_ns=until))
        meta = node.meta | {"queries": _queries(node)}
        return replace(node, edges=tuple(edges), members=tuple(lanes), meta=meta)

    def _columns(self, name: str, column: Column) -> dict[str, Column]:
        """An output as it became: of a panel one per member."""
        became = self._done[column.node]
        if isinstance(became, dict):
            return {f"{name}[{member}]": _column(column, lane) for member, lane in became.items()}
        return {name: _column(column, became)}

    def _targets(self, traded: Node, weight: Column) -> dict[str, tuple[Node, Column]]:
        stream, value = self._done[traded], self._done[weight.node]
        if isinstance(stream, dict) and isinstance(value, dict):
            return {
                name: (stream[name].node, _column(weight, value[name])) for name in stream if name in value
            }
        if isinstance(stream, dict) or isinstance(value, dict):
            raise UserError(
                "a target has one weight per stream",
                place=weight.node.place,
                cure='choose one lane: panel["BTC"]',
            )
        return {stream.node.stream or "": (stream.node, _column(weight, value))}

    def _concrete(self, declared: Node) -> list[Node]:
        """What a declared node counts as: a SELECT as nothing, a cross-section as itself."""
        if declared.kind is NodeKind.SELECT:
            return []
        became = self._done[declared]
        if declared.kind is NodeKind.CROSS:
            return [self._crosses[declared]]
        return [lane.node for lane in became.values()] if isinstance(became, dict) else [became.node]


def _source(query: Node, stream: str, tags: Iterable[str]) -> Node:
    """The member as if it had been declared with default settings."""
    return identified(
        Node(
            kind=NodeKind.BARS,
            operator="bars",
            interval_ns=query.interval_ns,
            outputs=query.outputs,
            stream=stream,
            event_time=EventTime(),
            tags=frozenset(tags),
            label=stream,
            place=query.place,
        )
    )


def _plain(node: Node) -> _Resolved:
    return _Resolved(node, node.outputs)


def _over(edge: Edge, lane: _Resolved) -> Edge:
    return replace(edge, node=lane.node, columns=_mapped(edge, lane))


def _mapped(edge: Edge, lane: _Resolved) -> tuple[str, ...]:
    return tuple(lane.columns[edge.node.outputs.index(column)] for column in edge.columns)


def _column(column: Column, lane: _Resolved) -> Column:
    return Column(lane.node, lane.columns[column.node.outputs.index(column.column)])


def _add_all(known: dict[str, V], more: Mapping[str, V]) -> None:
    for name, value in more.items():
        if name in known:
            raise UserError(
                f"{name!r} is declared twice once the tag queries are resolved", cure="rename one of them"
            )
        known[name] = value
