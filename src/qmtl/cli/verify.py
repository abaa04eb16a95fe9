"""`qmtl verify`: per author's node, ok or what was seen."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from qmtl.runtime.verify import Verified


def print_verified(found: Verified, made_up: bool) -> None:
    """One line per node, and below it one per rule that it breaks."""
    console = Console(soft_wrap=True, highlight=False)
    data = "made-up data (random walks)" if made_up else "the data given"
    console.print(f"[dim]over {found.arrivals:,} arrivals of {data}")
    for node in found.nodes:
        mine = [one for one in found.findings if one.node == node.node]
        said = "[red]found[/]" if mine else "[green]ok[/]" if node.buckets else "[yellow]not called[/]"
        console.print(f"{said}  {escape(node.name)}  [dim]{escape(node.place)}, {node.buckets} buckets")
        for one in mine:
            console.print(f"       [bold]{one.rule}[/] at {one.bucket}: {escape(one.seen)}")
    for note in found.notes:
        console.print(f"[yellow]note[/] {escape(note)}")
    if not found.nodes:
        console.print("the strategy has no functions of its author")
