"""`qmtl ops`: the built-in operators."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def print_operators(documents: list[dict[str, Any]], *, full: bool) -> None:
    """A table; with `full`, everything there is to say."""
    console = Console()
    if full:
        for one in documents:
            params = ", ".join(k if v is None else f"{k}={v!r}" for k, v in one["params"].items())
            console.print(
                f"[bold]{one['name']}[/]({', '.join(one['inputs'])}; {params}) → {', '.join(one['outputs'])}"
            )
            console.print(one["doc"], highlight=False)
            console.print(f"source: {one['source']}", highlight=False)
        return
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("family", "name", "parameters", "what"):
        table.add_column(heading)
    for one in sorted(documents, key=lambda d: (d["family"], d["name"])):
        params = ", ".join(k if v is None else f"{k}={v!r}" for k, v in one["params"].items())
        table.add_row(one["family"], one["name"], params, one["doc"].split("\n")[0])
    console.print(table)
