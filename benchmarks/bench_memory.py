"""What a row of a lane takes: the engine's storage, and how much the process grows while it is filled.

A lane is one symbol with its bars and its indicators. Storage is counted for the rows that are used. A process can grow
by less: what is never written, like the numbers of corrections where nothing was corrected, takes no memory. Each case
is a process of its own, for what has been freed is used again.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from engines import Fed, batch, engine_for, walk
from figures import Figure, case, show
from harness import keep, options
from qmtl import Series, Strategy, StreamInput
from qmtl.core.flow.timeline import COPY
from qmtl_forms import Indicators

TITLE = "Memory of a lane"
SHAPES = {"1": (1, 100_000), "100": (100, 10_000), "1k": (1_000, 2_000)}  # symbols, rows
STATUS = Path("/proc/self/statm")
NODES: dict[str, Callable[[StreamInput], Series]] = {
    "bars alone": lambda stream: stream.close,
    "map: close / open": lambda stream: stream.close / stream.open,
    "window: sma(20)": lambda stream: stream.close.sma(20),
    "scan: ema(12)": lambda stream: stream.close.ema(12),
    "resample: 5m": lambda stream: stream.resample("5m").close,
}


class One(Strategy):
    """One node over each stream."""

    node: str = ""
    names: tuple[str, ...] = ()

    def define(self) -> None:
        for name in self.names:
            self.output(name, NODES[self.node](StreamInput(name, interval="1m")))


def main() -> None:
    given = options(tuple(SHAPES), __doc__)
    cases = {}
    for size in given.sizes:
        symbols, rows = SHAPES[size]
        figures = {}
        for label in (*NODES, "all of W"):
            stored, grown = _apart(label, symbols, rows)
            figures[f"{label}, stored"] = Figure(stored, "bytes")
            if grown is not None:
                figures[f"{label}, the process grows by"] = Figure(grown, "bytes")
        label = f"{symbols:,} lane{'s' if symbols > 1 else ''}, {rows:,} rows"
        show(f"{TITLE}: {label}; a row and lane", figures)
        cases[label] = case(figures, symbols=symbols, rows=rows)
    keep("memory", TITLE, cases, given)


def _apart(label: str, symbols: int, rows: int) -> tuple[float, float | None]:
    with get_context("spawn").Pool(1) as process:
        return process.apply(measure, (label, symbols, rows))


def measure(label: str, symbols: int, rows: int) -> tuple[float, float | None]:
    """Bytes for each row and lane: stored, and of the process (None where the system does not tell)."""
    names, bars = tuple(f"S{number:04d}" for number in range(symbols)), walk(rows, symbols)
    _filled(label, names[:1], bars[:100, :1])  # loads what is compiled
    minute, symbol = np.repeat(np.arange(rows), symbols), np.tile(np.arange(symbols), rows)
    given, strategy = batch(bars, minute, symbol), _strategy(label, names)
    gc.collect()
    before = _resident()
    fed = engine_for(strategy, names, rows)
    fed.engine.advance(given)
    gc.collect()
    grown = None if before is None else (_resident() or 0) - before
    if fed.engine.sources[0].bars[0].counters["used"] != rows:
        raise AssertionError("not every bar was used")
    cells = symbols * rows
    return _stored(fed) / cells, None if grown is None else grown / cells


def _filled(label: str, names: tuple[str, ...], bars: np.ndarray) -> Fed:
    fed = engine_for(_strategy(label, names), names, len(bars))
    fed.engine.advance(batch(bars, np.arange(len(bars)), np.zeros(len(bars), np.int64)))
    return fed


def _strategy(label: str, names: tuple[str, ...]) -> Strategy:
    return Indicators(names=names) if label == "all of W" else One(node=label, names=names)


def _stored(fed: Fed) -> int:
    """Bytes of the rows that are used."""
    total = 0
    for timeline in fed.engine.plan.timelines.values():
        width = sum(array[:1].nbytes for array in (timeline.V, timeline.bucket, *timeline.planes))
        total += width * timeline.rows
        total += sum(copies[:1].nbytes for copies in timeline.copies) * -(-timeline.rows // COPY)
    return total


def _resident() -> int | None:
    if not STATUS.exists():
        return None
    return int(STATUS.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
