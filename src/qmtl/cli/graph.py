"""`qmtl graph`: a strategy's nodes as a picture in text."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


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
