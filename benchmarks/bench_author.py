"""An author's Python function: what a call costs beyond the function's own time, its part of the ledger included.

The same bars run with the function's nodes and without, by row; the function is also called by itself with the same
views. What is left belongs to the engine: window, view, call, answer, status, and the ledger read at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from engines import Fed, batch, engine_for, walk
from figures import Figure, case, show
from harness import Sample, interleaved, keep, options
from qmtl import Strategy, StreamInput, node
from qmtl.core.flow.view import View
from qmtl.runtime.ledger import emissions
from workload import MINUTE, START

TITLE = "An author's function"
WINDOW = 20
CALLS = 20_000
MOST = 2.0  # microseconds


@node(outputs=("made",))
def constant(view: View) -> float:
    return 1.0


@node(outputs=("made",))
def latest(view: View) -> Any:
    return view.x[-1]


BODIES: dict[str, tuple[Any, Callable[[View], Any]]] = {
    "returns a constant": (constant, lambda view: 1.0),
    "returns view.x[-1]": (latest, lambda view: view.x[-1]),
}


class Authored(Strategy):
    """A node of one function over each stream, or none."""

    body: str = ""
    names: tuple[str, ...] = ()

    def define(self) -> None:
        for name in self.names:
            close = StreamInput(name, interval="1m").close
            made = BODIES[self.body][0](x=close.window(WINDOW)) if self.body else close
            self.output(name, made)


def main() -> None:
    given = options(("one", "hundred"), __doc__)
    symbols = {"one": 1, "hundred": 100}
    cases = {}
    for size in ("one",) if given.quick else given.sizes:
        rows = CALLS // symbols[size] // (5 if given.quick else 1)
        figures = _figures(symbols[size], rows, 1 if given.quick else given.rounds)
        label = f"{symbols[size]} a row"
        show(f"{TITLE}: {label}, {rows:,} rows", figures)
        cases[label] = case(figures, rows=rows)
    keep("author", TITLE, cases, given)


def _figures(symbols: int, rows: int, rounds: int) -> dict[str, Figure]:
    bars, names = walk(rows, symbols), tuple(f"S{number}" for number in range(symbols))
    runs = {"nothing": lambda: _run("", names, bars, by_row=True)}
    runs["nothing, blocks"] = lambda: _run("", names, bars, by_row=False)
    for label, (_, alone) in BODIES.items():
        runs[label] = lambda label=label: _run(label, names, bars, by_row=True)
        runs[f"{label}, blocks"] = lambda label=label: _run(label, names, bars, by_row=False)
        runs[f"{label}, alone"] = lambda alone=alone: _alone(alone, bars)
    for run in runs.values():
        run()  # compiles, and checks
    samples = interleaved(runs, rounds)
    figures = {}
    calls = (rows - WINDOW + 1) * symbols
    for label in BODIES:
        for way, most in (("", MOST), (", blocks", None)):
            own = _micro(samples, label + way) - _micro(samples, "nothing" + way)
            beyond = (own - _micro(samples, f"{label}, alone")) / calls
            name = f"{label}, {'by row' if not way else 'in one block'}"
            figures[name] = Figure(beyond, "µs", most)
        figures[f"{label}, the body alone"] = Figure(_micro(samples, f"{label}, alone") / calls, "µs")
    return figures


def _micro(samples: dict[str, Sample], name: str) -> float:
    return samples[name].best * 1e6


def _run(body: str, names: tuple[str, ...], bars: np.ndarray, by_row: bool) -> float:
    """Seconds for all rows and for reading the ledger of the nodes."""
    rows, symbols = bars.shape[:2]
    fed = engine_for(Authored(body=body, names=names), names, rows)
    minute, symbol = np.repeat(np.arange(rows), symbols), np.tile(np.arange(symbols), rows)
    whole, row = batch(bars, minute, symbol), fed.engine.row
    starts = [START + n * MINUTE for n in range(rows)]
    columns = [np.ascontiguousarray(each.T) for each in bars] if by_row else []
    began = perf_counter()
    for start, values in zip(starts, columns, strict=False):
        row(start, start + MINUTE, values)
    if not by_row:
        fed.engine.advance(whole)
    told = [_ledger(fed, name) for name in names] if body else []
    seconds = perf_counter() - began
    if body:
        _check(body, fed, names, bars, told)
    return seconds


def _ledger(fed: Fed, name: str) -> Any:
    group, lane = fed.engine.plan.home[fed.graph.outputs[name].node.node_id]
    return emissions(fed.engine, group, lane, START)


def _check(body: str, fed: Fed, names: tuple[str, ...], bars: np.ndarray, told: list[Any]) -> None:
    rows = len(bars)
    for at, name in enumerate(names):
        expected = np.ones(rows) if body == "returns a constant" else bars[:, at, 3].copy()
        expected[: WINDOW - 1] = np.nan
        column = fed.column(name, rows)
        if not np.array_equal(column, expected, equal_nan=True) or len(told[at].bucket) != rows - WINDOW + 1:
            raise AssertionError(f"{body}: another value than the function's, or not every one in the ledger")


def _alone(body: Callable[[View], Any], bars: np.ndarray) -> float:
    """Seconds for the calls alone, with views of the same windows."""
    rows, symbols = bars.shape[:2]
    views = []
    for at in range(symbols):
        close = np.ascontiguousarray(bars[:, at, 3])
        views += [View({"x": close[n : n + WINDOW]}, n) for n in range(rows - WINDOW + 1)]
    began = perf_counter()
    for view in views:
        body(view)
    return perf_counter() - began


if __name__ == "__main__":
    main()
