"""Checks of a whole graph that no single node could make; what is refused carries its place and cure."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.ir import Edge, Graph, Node
from qmtl.core.graph.walk import roots, topological


def lint(graph: Graph) -> None:
    """Raise :class:`UserError` for the first thing wrong with a graph."""
    named = (*roots(graph), *graph.declared)
    refuse_cycles(named)
    for named_column in (*graph.outputs.values(), *(weight for _, weight in graph.targets.values())):
        _known(named_column.node, named_column.column, named_column.node.place)
    for node in topological(named):
        for edge in node.edges:
            for column in edge.columns:
                _known(edge.node, column, node.place)
            _interval(node, edge)


def refuse_cycles(nodes: Iterable[Node]) -> None:
    """Raise for a node that is made of itself."""
    done: set[int] = set()
    for start in nodes:
        path: dict[int, Node] = {}
        stack: list[tuple[Node, bool]] = [(start, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                del path[id(node)]
                done.add(id(node))
            elif id(node) in path:
                raise UserError(
                    f"{_named(node)} is made of itself",
                    place=node.place,
                    cure="break the cycle: a value of the past is read with .lag(1) or a window",
                )
            elif id(node) not in done:
                path[id(node)] = node
                stack.append((node, True))
                stack.extend((edge.node, False) for edge in node.edges)


def _known(node: Node, column: str, place: str) -> None:
    if column not in node.outputs:
        raise UserError(
            f"{_named(node)} has no column {column!r}",
            place=place,
            cure=f"its columns are {', '.join(node.outputs)}",
        )


def _interval(node: Node, edge: Edge) -> None:
    own, other = node.interval_ns, edge.node.interval_ns
    if own is None:
        raise UserError(f"{_named(node)} has no interval", place=node.place, cure='name one: interval="1m"')
    if other is not None and own % other and other % own:
        raise UserError(
            f"{_named(node)} at {Duration.from_ns(own)} reads {_named(edge.node)} "
            f"at {Duration.from_ns(other)}",
            place=node.place,
            cure="one of two intervals must divide the other; resample the finer one",
        )


def _named(node: Node) -> str:
    return f"{node.kind.value} {node.stream or node.label or node.operator}"
