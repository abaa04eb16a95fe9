"""Strategies and operators as plain documents, for tools that show them."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from qmtl.core.errors import UserError
from qmtl.core.graph.duration import Duration
from qmtl.core.graph.walk import roots, topological
from qmtl.ops.registry import REQUIRED, Operator, operators
from qmtl.sdk.strategy import Strategy, build


def graph_document(strategy: Strategy) -> dict[str, Any]:
    """Nodes in topological order (each once), targets and outputs by name."""
    graph = build(strategy)
    nodes = {node.node_id: node for node in topological(roots(graph))}
    return {
        "nodes": [
            {
                "id": node.node_id,
                "operator": node.operator,
                "interval": None if node.interval_ns is None else str(Duration.from_ns(node.interval_ns)),
                "inputs": [edge.node.node_id for edge in node.edges],
            }
            for node in nodes.values()
        ],
        "targets": {name: column.node.node_id for name, (_, column) in graph.targets.items()},
        "outputs": {name: column.node.node_id for name, column in graph.outputs.items()},
    }


def operator_documents(name: str | None) -> list[dict[str, Any]]:
    """All operators, or the one called `name`; raises :class:`UserError` for an unknown one."""
    known = operators()
    if name is not None and name not in known:
        near = get_close_matches(name, known, n=1)
        raise UserError(
            "no such operator",
            place="ops",
            value=name,
            cure=f"did you mean {near[0]!r}?" if near else "see: qmtl ops",
        )
    return [_document(one) for key, one in sorted(known.items()) if name in (None, key)]


def _document(one: Operator) -> dict[str, Any]:
    return {
        "name": one.name,
        "family": one.family,
        "inputs": list(one.inputs),
        "outputs": list(one.outputs),
        "params": {p.name: None if p.default is REQUIRED else p.default for p in one.params},
        "doc": one.doc,
        "source": one.source,
    }
