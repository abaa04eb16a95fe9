"""One late bar, and one revised, k buckets back after N bars: what a correction costs, by family of operators.

A late bar's cost should not depend on how long the history is: it is proportional to the buckets that it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from rich.table import Table

from harness import case_as_json, console, keep, options
from qmtl import Panel, StreamInput, cross
from qmtl.core.flow.layout import H_RECORD_COUNT
from single import batch, engine_of, walk

TITLE = "One late bar"
LANES = 10
REPEATED = 20  # late bars of one kind in a run, each of another lane's or bucket's
BACK = (1, 10, 100, 1_000)
FLAT = 1.5


def closes() -> dict[str, Any]:
    return {f"S{n}": StreamInput(f"S{n}", interval="1m").close for n in range(LANES)}


def each(operator: Callable[[Any], Any]) -> Callable[[], Mapping[str, Any]]:
    return lambda: {name: operator(close) for name, close in closes().items()}


FAMILIES: dict[str, Callable[[], Mapping[str, Any]]] = {
    "map": each(lambda close: close - 1.0),
    "window of 20": each(lambda close: close.sma(20)),
    "window of 60, squares": each(lambda close: close.zscore(60)),
    "scan": each(lambda close: close.ema(12)),
    "resample to 5m": lambda: {
        f"S{n}": StreamInput(f"S{n}", interval="1m").resample("5m").close for n in range(LANES)
    },
    "across 10 lanes": lambda: {"mean": cross.mean(Panel(closes()))},
}


def measured(outputs: Callable[[], Mapping[str, Any]], rows: int, back: int) -> dict[str, float]:
    """Median microseconds of a late bar and of a revision, `back` buckets before the newest of `rows`."""
    close, made = walk(rows, LANES), engine_of(outputs, rows)
    source, row = np.tile(np.arange(LANES), rows), np.repeat(np.arange(rows), LANES)
    late = [(n % LANES, rows - 1 - back - n // LANES) for n in range(REPEATED)]
    there = np.ones((rows, LANES), bool)
    there[[one[1] for one in late], [one[0] for one in late]] = False
    kept = there[row, source]
    made.advance(batch(source[kept], row[kept], close[row, source][kept]))
    found = {}
    for kind, moved in (("late", 0.0), ("revised", 0.25)):
        taken = []
        for lane, bucket in late:
            one = batch(np.array([lane]), np.array([bucket]), close[[bucket], [lane]] + moved)
            told = int(made.flow.log.head[H_RECORD_COUNT])
            began = perf_counter()
            made.advance(one)
            taken.append(perf_counter() - began)
            assert made.flow.log.head[H_RECORD_COUNT] > told, "nothing was corrected"
        found[kind] = median(taken[2:]) * 1e6
    return found


def main() -> None:
    given = options(("10000", "100000", "1000000"), __doc__)
    sizes = [int(size) for size in given.sizes]
    cases: dict[str, Any] = {}
    for name, outputs in FAMILIES.items():
        if not given.chosen(name):
            continue
        measured(outputs, 3_000, 10)  # compiles
        times = {
            (back, rows): measured(outputs, rows, back) for back in BACK for rows in sizes if rows > back + 10
        }
        table = Table(title=f"{TITLE}: {name}, µs")
        for column in (
            "buckets back",
            *(f"late, {rows:,} bars" for rows in sizes),
            "revised, longest",
            "flat",
        ):
            table.add_column(column, justify="right")
        ratios = {}
        for back in BACK:
            late = [times[back, rows]["late"] for rows in sizes]
            flat = late[-1] / late[0]
            ratios[f"{back} back: shortest history against longest"] = {"ratio": 1 / flat, "least": 1 / FLAT}
            revised = times[back, sizes[-1]]["revised"]
            table.add_row(f"{back:,}", *(f"{one:.1f}" for one in late), f"{revised:.1f}", f"{flat:.2f} ×")
        console.print(table)
        figures = {f"{back} back, {rows} bars": found for (back, rows), found in times.items()}
        cases[name] = case_as_json({}, microseconds=figures, ratios=ratios)
    keep("late", TITLE, cases, given)


if __name__ == "__main__":
    main()
