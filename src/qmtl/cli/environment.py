"""`qmtl env`: what numbers are computed with."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from qmtl.runtime.environment import fingerprint, normalise


def environment() -> dict[str, Any]:
    """Fingerprint and settings as one document."""
    settings = normalise()
    found = fingerprint()
    return {"fingerprint": found.digest, "runtime": dict(found.fields), "environment": settings}


def print_environment(document: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("[bold]fingerprint[/]", document["fingerprint"])
    for name, value in (document["runtime"] | document["environment"]).items():
        table.add_row(name, value)
    Console().print(table, highlight=False)
