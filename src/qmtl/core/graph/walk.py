"""Walking a graph from what is declared to what it is made of."""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.graph.ir import Graph, Node, NodeKind

SOURCES = frozenset({NodeKind.BARS, NodeKind.TICKS, NodeKind.QUERY})


def roots(graph: Graph) -> tuple[Node, ...]:
    """The nodes a graph's outputs and targets name, in the order of declaration."""
    named = [column.node for column in graph.outputs.values()]
    for stream, weight in graph.targets.values():
        named += (stream, weight.node)
    return tuple(dict.fromkeys(named))


def topological(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """The nodes and all they are made of, each once, upstreams first; the order is deterministic."""
    done: dict[Node, None] = {}
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(list(nodes))]
    while stack:
        node, upstreams_done = stack.pop()
        if node in done:
            continue
        if upstreams_done:
            done[node] = None
            continue
        stack.append((node, True))
        stack.extend((edge.node, False) for edge in reversed(node.edges))
    return tuple(done)


def ancestry(node: Node) -> tuple[Node, ...]:
    """What a node is made of, itself left out, upstreams first."""
    return topological([node])[:-1]


def sources(node: Node) -> tuple[Node, ...]:
    """The source streams and tag queries a node is made of, in order of first use."""
    return tuple(one for one in topological([node]) if one.kind in SOURCES)
