"""The bars of one time taken as one row say what they say arrival by arrival (E12, E15)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from qmtl import Panel, Strategy, StreamInput, cross, node, where
from qmtl.core.flow import layout
from qmtl.core.flow.building import build as planned
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.timeline import FOREVER, NEVER
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.backtest import unique_nodes
from qmtl.runtime.ledger import changes_by_lane, emissions
from qmtl.sdk.strategy import build

from unit.ops.feeds import MINUTE, START, Batch

NAMES = tuple("ABCDEFZ")  # Z waits otherwise for late bars, so that it is no lane of the others
FIELDS = ("open", "high", "low", "close", "volume")
ROWS = 240


@node
def latest(view):
    return float(view.x[-1] - view.y.sum())


@node(outputs=("least", "most"))
def bounds(view, watermark):
    assert watermark == view.bucket + MINUTE
    return view.px["low"].min(), view.px.high.max() + view.px.times[-1] % 7


@node
def moody(view):
    """A gap now and then, over windows with holes; it fails in the end where prices are high."""
    if view.bucket > START + 200 * MINUTE and view.x[-1] > 105:
        raise ValueError("too high")
    return None if int(view.x[-1] * 100) % 7 == 0 else view.x.sum() / view.above[-1]


class Mixed(Strategy):
    """Lanes alone, in pairs, across, coarser, and over what is coarser; clocks of all kinds."""

    lateness: str = "0s"
    coarse: str = "structural"

    def define(self) -> None:
        bars = {
            name: StreamInput(name, interval="1m", fields=FIELDS, lateness=self.lateness)
            for name in NAMES[:-1]
        }
        other = StreamInput("Z", interval="1m", fields=FIELDS, lateness="30s")
        close = {name: one.close for name, one in bars.items()}
        self.output("other", other.close + close["A"])
        for name, one in close.items():
            self.output(f"sma {name}", one.sma(5))
            self.output(f"ema {name}", one.ema(4))
            risen = where(one > one.sma(5), one)
            self.output(f"moody {name}", moody(x=one.window(3), above=risen.window(2)))
            self.output(f"bounds {name}", bounds(px=bars[name].window(3)).most)
        ranks = cross.rank(Panel({name: one.zscore(6) for name, one in close.items()}))
        self.output("rank C", ranks["C"])
        self.output("mean", cross.mean(Panel(close)).sma(3))
        self.output("pair", (close["A"] - close["D"]).std(4))
        self.output("late pair", close["F"] + close["B"].lag(2))
        five = bars["E"].resample("5m")
        self.output("coarse", five.close.ema(3))
        if self.coarse == "none":  # then no clock moves before the last of its inputs has
            return
        made = latest(x=close["B"].window(3), y=five.close.window(2), coarse_frontier=self.coarse)
        self.output("author", made)
        self.output("of author", made.sma(2))


def _engine(lateness: str, coarse: str) -> tuple[Engine, dict[str, object]]:
    (graph,) = expand([build(Mixed(lateness=lateness, coarse=coarse))], lambda query: [])
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


def _arrivals(seed: int) -> tuple[list[tuple[int, int, int]], np.ndarray, list[int]]:
    """(source, time, known at) in order, their values, and where each minute ends: holes, late bars, revisions."""
    chance = np.random.default_rng(seed)
    prices = 100 + chance.normal(0, 1, (ROWS, len(NAMES))).cumsum(axis=0)
    told: list[tuple[int, int, int]] = []
    values: list[float] = []
    ends: list[int] = []
    late: list[tuple[int, int]] = []
    for row in range(ROWS):
        now = START + (row + 1) * MINUTE
        calm = row % 40 < 25
        if row % 40 == 12 or row % 40 == 20:  # a whole row again, with other values
            told += [(source, START + (row - 3) * MINUTE, now) for source in range(len(NAMES))]
            values += (prices[row - 3] + 0.25).tolist()
        for source in range(len(NAMES)):
            if row % 40 == 15 and source == 2:  # in its place, an older one
                told.append((source, START + (row - 2) * MINUTE, now))
                values.append(prices[row - 2, source] - 0.25)
                late.append((source, row))
                continue
            if not calm and chance.random() < 0.1:
                late.append((source, row))
                continue
            told.append((source, START + row * MINUTE, now))
            values.append(prices[row, source])
        if not calm and late and chance.random() < 0.4:
            source, old = late.pop(int(chance.integers(len(late))))
            told.append((source, START + old * MINUTE, now))
            values.append(prices[old, source])
        if not calm and chance.random() < 0.2:
            source, old = int(chance.integers(len(NAMES))), int(chance.integers(max(0, row - 9), row + 1))
            told.append((source, START + old * MINUTE, now))
            values.append(prices[old, source] + float(chance.choice((0.0, 0.5))))
        ends.append(len(told))
    table = np.array(values)[:, None] + np.array([0.0, 1.0, -1.0, 0.0, 7.0])
    return told, table, ends


def feed_in(
    made: Engine, told: list[tuple[int, int, int]], table: np.ndarray, stops: list[int], step: int = 1
) -> None:
    """In batches; with a `step` of -1 the rows of their tables stand in reverse."""
    source, ts, known = (np.array(column, np.int64) for column in zip(*told, strict=True))
    for a, b in pairwise([0, *stops]):
        kind, row, flat = np.zeros(b - a, np.uint8), np.arange(b - a)[::step], table[a:b][::step].copy()
        batch = Batch(kind, source[a:b], ts[a:b], known[a:b], row.copy(), [], [], [], flat)
        made.advance(batch)


def _by_row(made: Engine, told: list[tuple[int, int, int]], table: np.ndarray, ends: list[int]) -> None:
    for a, b in pairwise([0, *ends]):
        if [one[0] for one in told[a:b]] == list(range(len(NAMES))) and len(
            {one[1] for one in told[a:b]}
        ) == 1:
            made.row(told[a][1], told[a][2], np.ascontiguousarray(table[a:b].T))
        else:
            feed_in(made, told[a:b], table[a:b], [b - a])


def ledger_of(made: Engine, outputs: dict[str, object]) -> dict[str, dict[str, list[object]]]:
    changes, result = changes_by_lane(made), {}
    for name, column in outputs.items():
        above = column if column.kind is not NodeKind.SELECT else column.edges[0].node
        group, lane = made.plan.home[above.node_id]
        lane = lane if above is column else above.members.index(column.stream)
        told = emissions(made, group, lane, NEVER, changes)
        columns = {each: getattr(told, each) for each in told.__slots__}
        result[name] = {k: v.view(np.int64) if v.dtype == np.float64 else v for k, v in columns.items()}
    result["failures"] = {"all": sorted(map(str, made.flow.log.failures))}
    return result


WAYS: dict[str, Callable[..., None]] = {
    "all at once": lambda made, told, table, ends: feed_in(made, told, table, [len(told)]),
    "by minute": feed_in,
    "in reverse tables": lambda made, told, table, ends: feed_in(made, told, table, ends, -1),
    "by row": _by_row,
}


@pytest.mark.parametrize("coarse", ("structural", "strict", "none"))
@pytest.mark.parametrize("lateness", ("0s", "90s"))
@pytest.mark.parametrize("seed", range(3))
def test_rows_say_what_single_arrivals_say(seed: int, lateness: str, coarse: str) -> None:
    told, table, ends = _arrivals(seed)
    single, outputs = _engine(lateness, coarse)
    feed_in(single, told, table, list(range(1, len(told) + 1)))
    wanted = ledger_of(single, outputs)
    failed = len(wanted["failures"]["all"])
    assert 0 < failed < len(NAMES) or seed > 0
    alone = single.flow.book.head[layout.H_PANEL_ROWS]
    assert alone <= sum(source == NAMES.index("Z") for source, _, _ in told)  # Z is a panel of one lane
    assert all(len(one["step"]) > ROWS // 10 for name, one in wanted.items() if name != "failures")
    for way, feed in WAYS.items():
        made, outputs = _engine(lateness, coarse)
        feed(made, told, table, ends)
        assert made.flow.book.head[layout.H_PANEL_ROWS] > alone + ROWS // 3, way
        for name, columns in ledger_of(made, outputs).items():
            for column, values in columns.items():
                assert np.array_equal(values, wanted[name][column]), (way, name, column)


@pytest.mark.parametrize("wrong", (np.zeros((7, 5)), np.zeros((5, 7), np.float32), np.zeros((7, 5)).T))
def test_a_row_of_another_shape_is_refused(wrong: np.ndarray) -> None:
    made, _ = _engine("0s", "none")
    with pytest.raises(ValueError, match=r"shape \(5, 7\)"):
        made.row(START, START + MINUTE, wrong)
