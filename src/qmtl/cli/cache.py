"""`qmtl cache …`: what is kept of earlier runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from qmtl import UserError
from qmtl.wiring import blobs, settings

app = typer.Typer(no_args_is_help=True, help="What is kept of results that were computed before.")

Where = Annotated[
    str | None, typer.Option("--cache", metavar="WHERE", help="folder or URL (default: QMTL_CACHE)")
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@app.command()
def stats(where: Where = None, as_json: Json = False) -> None:
    """Count what is there: slices, nodes, bytes, and the seconds of computing they stand for."""
    from qmtl.runtime.cache_care import stats as counted

    place = _place(where)
    _say({"where": place} | asdict(counted(blobs(place))), as_json)


@app.command()
def gc(
    keep: Annotated[
        str, typer.Option("--keep", help="bytes to keep of the newest, e.g. 10G or 500M")
    ] = "10G",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let go of the oldest results beyond a size, and of what nothing refers to."""
    from qmtl.runtime.cache_care import collect

    count, freed = collect(blobs(_place(where)), _bytes(keep))
    _say({"blobs": count, "bytes": freed}, as_json)


@app.command()
def audit(where: Where = None, as_json: Json = False) -> None:
    """Read everything and verify BLAKE3 and SHA-256. What is corrupt is let go, and computed again when asked for.

    Ends with 1 where something was.
    """
    from qmtl.runtime.cache_care import audit as audited

    found = audited(blobs(_place(where)))
    _say(asdict(found), as_json)
    if found.corrupt:
        raise typer.Exit(1)


@app.command()
def disown(
    node: Annotated[str, typer.Argument(metavar="NODE", help="a node's id, or how it begins")],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Believe nothing any more of what is kept for a node; it is computed again."""
    from qmtl.runtime.cache_care import disown as disowned

    node_id, slices = disowned(blobs(_place(where)), node)
    _say({"node": node_id, "slices": slices}, as_json)


def _place(where: str | None) -> str:
    place = settings().cache if where is None else where
    if not place:
        raise UserError("there is no cache", place="QMTL_CACHE", value="off", cure="name one with --cache")
    return place


def _bytes(text: str) -> int:
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    try:
        return int(float(number) * UNITS[unit])
    except (ValueError, KeyError):
        raise UserError(
            "not a size", place="--keep", value=text, cure="write 10G, 500M or a number"
        ) from None


def _say(document: dict[str, object], as_json: bool) -> None:
    if as_json:
        import json

        typer.echo(json.dumps(document))
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in document.items():
        table.add_row(name, _text(value))
    Console().print(table, highlight=False)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(value) or "none"
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
