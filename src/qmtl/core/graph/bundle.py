"""Several columns of one upstream as one edge: fewer edges to walk, the same id (see `node_id`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from qmtl.core.graph.ir import Edge


def bundled(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """An operator's edges with neighbours of the same upstream and window joined."""
    joined: list[Edge] = []
    for edge in edges:
        last = joined[-1] if joined else None
        if last is not None and _alike(last, edge) and not set(last.columns) & set(edge.columns):
            joined[-1] = replace(last, name=f"{last.name}+{edge.name}", columns=last.columns + edge.columns)
        else:
            joined.append(edge)
    return tuple(joined)


def _alike(a: Edge, b: Edge) -> bool:
    return a.node is b.node and (a.window, a.required, a.complete) == (b.window, b.required, b.complete)
