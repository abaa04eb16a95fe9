"""`qmtl graph`: a strategy's nodes as a document and as a picture in text."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from qmtl.core.graph.duration import Duration
from qmtl.core.graph.walk import roots, topological
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


def print_graph(document: dict[str, Any]) -> None:
    """The nodes as a table: what each computes, and from what."""
    names: dict[str, list[str]] = {}
    for kind in ("targets", "outputs"):
        for name, node_id in document[kind].items():
            names.setdefault(node_id, []).append(f"{kind[:-1]} {name}")
    number = {node["id"]: n for n, node in enumerate(document["nodes"])}
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("#", "operator", "interval", "reads", "named", "id"):
        table.add_column(heading)
    for node in document["nodes"]:
        reads = " ".join(str(number[i]) for i in node["inputs"])
        table.add_row(
            str(number[node["id"]]),
            node["operator"],
            node["interval"] or "ticks",
            reads,
            ", ".join(names.get(node["id"], [])),
            node["id"][:12],
        )
    Console().print(table)
