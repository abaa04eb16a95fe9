"""`qmtl ops`: the built-in operators."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from rich.console import Console
from rich.table import Table

from qmtl.core.errors import UserError
from qmtl.ops.registry import REQUIRED, Operator, operators


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
