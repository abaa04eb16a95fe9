"""Golden histories: everything some cases tell, kept in `histories/*.json`, bit for bit.

A file holds ``about``, a ``case`` (in the format of :mod:`qmtl.testing.oracle`) and what was ``told``: the emissions
of every node, tables as pairs, counters and watermarks. To record again after a change that is meant to change them::

    python tests/golden/histories.py [name …]

It rewrites what the files (by default all) say was told, as the oracle tells it, and stops where the engine disagrees,
however it is fed. Read the difference before committing it: a changed history is a changed meaning of somebody's data.
To add one, write a file with ``about`` and ``case`` and record it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qmtl.testing.differential import difference, told
from qmtl.testing.oracle import run

FOLDER = Path(__file__).parent / "histories"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
Plain = dict[str, Any]

WAYS: dict[str, Callable[[Plain], Plain]] = {
    "oracle": lambda case: {"compiled": set()} | run(case),
    "one batch": told,
    "one by one": lambda case: told(case, range(len(case["arrivals"]))),
    "threes": lambda case: told(case, range(0, len(case["arrivals"]), 3)),
    "compiled": lambda case: told(case, compiled=True),
}


def read(name: str) -> Plain:
    """A history; its tables are dicts again, whose keys JSON would have made texts."""
    history: Plain = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    if "told" in history:
        tables = history["told"]["final_table"]
        history["told"]["final_table"] = {node: dict(pairs) for node, pairs in tables.items()}
    return history


def departure(history: Plain, way: str) -> str:
    """Where what is told in one way first departs from what was told, or nothing."""
    return difference(history["case"], history["told"], WAYS[way](history["case"]))


def record(name: str) -> None:
    """Let the oracle tell a case again (it knows what every node was shown), and ask whether all ways agree."""
    history = read(name)
    history["case"]["id"] = name
    result = run(history["case"])
    history["told"] = {
        key: result[key] for key in ("emissions", "final_table", "final_watermark", "counters")
    }
    for way in WAYS:
        if found := departure(history, way):
            raise SystemExit(f"{name}: {way} disagrees, nothing is written: {found}")
    (FOLDER / f"{name}.json").write_text(written(history), encoding="utf-8")


def written(history: Plain) -> str:
    """As JSON with a line for every arrival and every emission, so that a difference can be read."""
    result = history["told"]
    tables = {node: sorted(table.items()) for node, table in result["final_table"].items()}
    emissions = [f"{line(node)}: {lines(each, 4)}" for node, each in result["emissions"].items()]
    case = [f"{line(key)}: {lines(value, 3)}" for key, value in history["case"].items()]
    rest = {"final_table": tables} | {key: result[key] for key in ("final_watermark", "counters")}
    parts = [f'"emissions": {{\n   {joined(emissions, 3)}\n  }}']
    parts += [f"{line(key)}: {line(value)}" for key, value in rest.items()]
    return (
        f'{{\n "about": {line(history["about"])},\n'
        f' "case": {{\n  {joined(case, 2)}\n }},\n'
        f' "told": {{\n  {joined(parts, 2)}\n }}\n}}\n'
    )


def line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def lines(value: Any, depth: int) -> str:
    """A list with each element on a line of its own; anything else in one line."""
    if not isinstance(value, list) or not value:
        return line(value)
    return f"[\n{' ' * depth}{joined([line(one) for one in value], depth)}\n{' ' * (depth - 1)}]"


def joined(parts: Sequence[str], depth: int) -> str:
    return f",\n{' ' * depth}".join(parts)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        record(chosen)
