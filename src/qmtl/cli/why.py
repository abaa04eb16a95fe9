"""`qmtl why`: a derivation as a tree that a person reads."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from qmtl.runtime.derivation import Arrived, Derivation, Window

WIDE = 1000  # letters of a line where nobody looks: nothing is wrapped
COLORS = {"value": "green", "gap": "yellow", "null": "yellow", "failed": "red", "halted": "red"}


def print_why(found: Derivation, runtime: dict[str, Any]) -> None:
    """The tree, and the runtime below it."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    console.print(_tree(found))
    runtime = {name: value for name, value in runtime.items() if isinstance(value, str)}
    console.print(
        "[dim]runtime  " + escape(" · ".join(f"{k} {v}" for k, v in runtime.items())), highlight=False
    )


def _tree(found: Derivation) -> Tree:
    tree = Tree(_head(found))
    for line in _lines(found):
        tree.add(Text(line, "dim"))
    for window in found.inputs:
        tree.add(_input(window))
    if found.cut == "depth":
        tree.add(Text("… deeper: a greater --depth", "dim"))
    return tree


def _head(found: Derivation) -> Text:
    text = Text.assemble((found.label, "bold"), f" {found.interval}  {found.bucket}  ")
    if found.value is not None:
        single = len(found.value) == 1
        said = ", ".join(f"{v!r}" if single else f"{k} {v!r}" for k, v in found.value.items())
        text.append(said, COLORS["value"])
    if found.status != "value":
        text.append(f"{' ' if found.value else ''}{found.status}", COLORS.get(found.status, "cyan"))
    if found.why:
        text.append(f": {found.why}")
    text.append(
        f"  version {found.version}, {found.how}" if found.version is not None else "  no record", "dim"
    )
    if found.cut == "above":
        text.append("  (derived above)", "dim")
    return text


def _lines(found: Derivation) -> list[str]:
    if found.cut == "above":
        return []
    lines = [f"node {found.node[:12]}" + (f"  declared {found.declared}" if found.declared else "")]
    if found.code:
        lines.append(f"code {found.code['function']} {found.code['place']}  hash {found.code['hash'][:12]}")
    if found.slice:
        lines.append(f"slice {found.slice[:16]}")
    if found.params:
        lines.append("parameters " + ", ".join(f"{k}={v!r}" for k, v in found.params.items()))
    lines += [_arrival(one) for one in found.arrived]
    for one in found.corrections:
        before = one.was if one.retract is None else ", ".join(map(repr, one.retract))
        after = one.now if one.upsert is None else ", ".join(map(repr, one.upsert))
        lines.append(f"version {one.version}: {before} → {after}, by {one.cause} (arrival {one.step})")
    return lines


def _arrival(one: Arrived) -> str:
    return f"arrival {one.step}: {one.source} of {one.event}, available {one.at}; {one.place} row {one.row}"


def _input(window: Window) -> Tree:
    head = Text.assemble((f"{window.name}: ", "cyan"), f"{window.asked}")
    if window.rows:
        spread = window.first if window.rows == 1 else f"{window.rows} from {window.first} to {window.last}"
        head.append(f"; shown {spread}")
    else:
        head.append("; nothing shown")
    head.append(f"  blake3 {window.digest[:16]}", "dim")
    tree = Tree(head)
    for name, values in window.values.items():
        if window.rows:
            shown = " ".join(one if isinstance(one, str) else f"{one:.10g}" for one in values)
            tree.add(Text(f"{name}  {shown}", "dim"))
    for one in window.arrived:
        tree.add(Text("latest " + _arrival(one), "dim"))
    if window.of is not None:
        tree.add(_tree(window.of))
    return tree
