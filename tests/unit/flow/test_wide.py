"""Many symbols with holes, late and repeated bars: batches say what they say arrival by arrival (E12, E15).

Wide enough that a row most lanes close is computed in one pass over all of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from qmtl import Panel, Strategy, StreamInput, cross
from qmtl.core.flow import layout
from qmtl.core.flow.building import build as planned
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.timeline import FOREVER
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.backtest import unique_nodes
from qmtl.sdk.strategy import build

from unit.flow.test_panels import feed_in, ledger_of
from unit.ops.feeds import MINUTE, START

NAMES = tuple(f"S{n:02}" for n in range(40))
ROWS = 160
FIELDS = ("open", "high", "low", "close", "volume")


class Wide(Strategy):
    """Scans, windows, and across."""

    def define(self) -> None:
        close = {name: StreamInput(name, interval="1m", fields=FIELDS).close for name in NAMES}
        for name, one in close.items():
            self.output(f"sma {name}", one.sma(7))
            self.output(f"rsi {name}", one.rsi(5) - one.ema(4))
            self.output(f"zscore {name}", one.zscore(9))
            self.output(f"high {name}", one.max(6))
        self.output("mean", cross.mean(Panel({name: one.zscore(9) for name, one in close.items()})))


def engine() -> tuple[Engine, dict[str, object]]:
    (graph,) = expand([build(Wide())], lambda query: [])
    nodes = unique_nodes([graph])
    streams = {one.stream: one for one in nodes.values() if one.kind is NodeKind.BARS}
    made = Engine(
        planned(list(nodes.values())),
        [[streams[name]] for name in NAMES],
        [FIELDS] * len(NAMES),
        {one.node_id: START for one in streams.values()},
        FOREVER,
    )
    return made, {name: column.node for name, column in graph.outputs.items()}


def arrivals(seed: int) -> tuple[list[tuple[int, int, int]], np.ndarray, list[int]]:
    """(source, time, known at) in order, their values, and where each minute ends."""
    chance = np.random.default_rng(seed)
    prices = 100 + chance.normal(0, 1, (ROWS, len(NAMES))).cumsum(axis=0)
    told: list[tuple[int, int, int]] = []
    values: list[float] = []
    ends: list[int] = []
    late: list[tuple[int, int, int]] = []
    missing = (0.0, 0.03, 0.1)[seed % 3]
    for row in range(ROWS):
        now = START + (row + 1) * MINUTE
        order = range(len(NAMES)) if seed % 2 else chance.permutation(len(NAMES))
        for source in map(int, order):
            here = chance.random()
            if here < missing:
                continue
            if here < missing + 0.01:
                late.append((row + int(chance.integers(1, 30)), source, row))
                continue
            told += [(source, START + row * MINUTE, now)] * (2 if here > 0.99 else 1)
            values += [prices[row, source]] * (2 if here > 0.99 else 1)
            while late and min(late)[0] <= row and chance.random() < 0.3:
                one = min(late)
                late.remove(one)
                told.append((one[1], START + one[2] * MINUTE, now))
                values.append(prices[one[2], one[1]])
        ends.append(len(told))
    table = np.array(values)[:, None] + np.array([0.0, 1.0, -1.0, 0.0, 7.0])
    return told, table, ends


@pytest.mark.parametrize("seed", range(6))
def test_batches_say_what_single_arrivals_say(seed: int) -> None:
    told, table, ends = arrivals(seed)
    single, outputs = engine()
    feed_in(single, told, table, list(range(1, len(told) + 1)))
    wanted = ledger_of(single, outputs)
    assert single.flow.book.head[layout.H_MASK_ROWS] == 0
    for way, stops in {"all at once": [len(told)], "by minute": ends}.items():
        made, outputs = engine()
        feed_in(made, told, table, stops)
        assert (made.flow.book.head[layout.H_MASK_ROWS] > ROWS) == (way == "by minute")
        for name, columns in ledger_of(made, outputs).items():
            for column, values in columns.items():
                assert np.array_equal(values, wanted[name][column]), (way, name, column)
