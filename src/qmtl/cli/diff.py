"""`qmtl diff`: what makes two runs differ, as a person reads it."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from qmtl.runtime.difference import Difference

SHOWN = 20  # of each kind


def print_difference(found: Difference) -> None:
    """Results first, then where they part, then every cause there may be."""
    console = Console(soft_wrap=True, highlight=False)
    over = f"{found.nodes} nodes, {found.start} … {found.end}"
    if not found:
        console.print(f"[green]equal[/]  [dim]{over}")
    elif not (found.results or found.missing):
        console.print(f"[yellow]equal where both have results[/]  [dim]{over}")
    else:
        console.print(f"[red]different[/]  [dim]{over}")
    _list(console, "results", [str(one) for one in found.results])
    _list(console, "only in one", [str(one) for one in found.missing])
    _list(
        console,
        "where it begins",
        [f"{one.first}\n      because of {'; '.join(one.because)}" for one in found.divergences],
    )
    _list(console, "data", [str(one) for one in found.data])
    own = [one for one in found.code if one.own]
    _list(
        console,
        "code",
        [f"{one.path} ({one.name}, {one.place})  " + "; ".join(map(str, one.own)) for one in own],
    )
    rest = len(found.code) - len(own)
    if rest:
        console.print(f"  and {rest} nodes that only read what changed")
    _list(console, "options", [str(one) for one in found.options])
    _list(console, "runtime", [str(one) for one in found.runtime])


def _list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"[bold]{title}[/]")
    for line in lines[:SHOWN]:
        console.print(f"  {escape(line)}")
    if len(lines) > SHOWN:
        console.print(f"  … and {len(lines) - SHOWN} more (--json shows all)")
