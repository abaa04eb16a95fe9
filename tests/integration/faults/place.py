"""The strategy and the data of fault runs, and what a backtest makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import nan
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np

from qmtl import Catalog, Runner
from qmtl.cli.loading import strategy_from
from qmtl.core.flow.timeline import HALTED, NONE, PENDING, VALUE
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.worker.spread import Spread
from qmtl.runtime.worker.starting import laid_out
from qmtl.sdk.runner import concrete, loaded

SYMBOLS = ("A", "B", "C", "D", "E", "F", "G", "H")
START, MINUTE = 1_700_000_040, 60  # seconds
LATE = 0.03  # of the bars come when others of their symbol have come, up to eight minutes late
FILE = "desk.py"

DESK = """
from qmtl import Strategy, StreamInput, node

SYMBOLS = {symbols}
PERIODS = {periods}

@node
def drift(view, *, k: float):
    return float(view.x[-1] * k - view.x.mean())

@node
def gap(view):
    return None if view.x[-1] == view.y[-1] else float(view.x[-1] - view.y[-1])

class Desk(Strategy):
    def define(self):
        close = {{name: StreamInput(name, interval="1m").close for name in SYMBOLS}}
        for name, one in close.items():
            for n in PERIODS:
                self.output(f"apart {{name}} {{n}}", one.ema(n) - one.sma(n))
                self.output(f"drift {{name}} {{n}}", drift(x=one.window(n), k=1.5).sma(3))
        for name, other in zip(SYMBOLS, (*SYMBOLS[1:], SYMBOLS[0])):
            x, y = close[name].sma(5), close[other].ema(8)
            self.output(f"pair {{name}} {{other}}", (x - y).ema(3))
            self.output(f"gap {{name}} {{other}}", gap(x=x.window(2), y=y.window(2)).ema(3))
"""

Table = dict[int, tuple[int, bytes]]  # by bucket (ns): status, and the bits of a value


@dataclass(frozen=True)
class Place:
    """A folder with a strategy and its data: `rows` bars of each of so many symbols."""

    folder: Path
    rows: int
    symbols: tuple[str, ...] = SYMBOLS
    periods: tuple[int, ...] = (3, 5, 8, 13, 21)

    def write(self) -> Place:
        self.folder.mkdir(exist_ok=True)
        (self.folder / FILE).write_text(DESK.format(symbols=self.symbols, periods=self.periods))
        for seed, name in enumerate(self.symbols):
            draw = np.random.default_rng(seed)
            price = 100 + draw.normal(0, 1, self.rows).cumsum()
            late = np.where(draw.random(self.rows) < LATE, draw.integers(1, 9, self.rows), 0)
            lines = ["ts,open,high,low,close,volume,at"]
            for n, (p, after) in enumerate(zip(price.tolist(), late.tolist(), strict=True)):
                begin = START + MINUTE * n
                lines.append(f"{begin},{p},{p + 1},{p - 1},{p},1,{begin + MINUTE * (1 + after)}")
            (self.folder / f"{name}.csv").write_text("\n".join(lines))
        return self

    @property
    def catalog(self) -> Catalog:
        return catalog(self.folder)

    def spread(self, slots: int) -> Spread:
        """Its nodes over so many slots, as workers lay them out."""
        graphs, arrivals = loaded(*concrete(strategy_from(str(self.folder / FILE)), self.catalog))
        return laid_out(slots, graphs, arrivals)

    @cached_property
    def oracle(self) -> dict[tuple[str, int], Table]:
        """What a backtest has in the end, by node and lane: values and gaps by bucket."""
        run: Any = Runner.backtest(strategy_from(str(self.folder / FILE)), self.catalog, cache=False)
        engine, found = run._executed.engine, {}
        for group in engine.plan.groups:
            for lane, node in enumerate(group.nodes):
                cells = cells_of(engine, group, lane, 0)
                rows = zip(cells.bucket.tolist(), cells.status.tolist(), cells.value, strict=True)
                kept = table(rows)
                if node.kind is NodeKind.BARS:  # a bar that never came is no gap (E6)
                    kept = {at: one for at, one in kept.items() if one[0] == VALUE}
                found[node.node_id, 0] = kept
        return found


def table(rows: Iterable[tuple[int, int, Iterable[float]]]) -> Table:
    """Of bucket, status and values: those that have a record, NaN being NaN."""
    silent = {NONE, PENDING, HALTED}
    return {
        at: (status, b"".join(pack("d", nan if x != x else x) for x in row) if status == VALUE else b"")
        for at, status, row in rows
        if status not in silent
    }


def catalog(folder: Path) -> Catalog:
    return Catalog(str(folder / "{id}.csv"), tz="UTC", columns={"at": "at"})
