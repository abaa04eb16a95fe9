"""Every operator of the registry and some author's functions in one plan, and what an engine makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from qmtl import Panel, Strategy, StreamInput, node
from qmtl.core.flow.building import build as planned
from qmtl.core.flow.building import source_of
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.kernel import KernelKind
from qmtl.core.flow.plan import Group
from qmtl.core.flow.timeline import NEVER, VALUE
from qmtl.core.graph import ir
from qmtl.core.graph.expand import expand
from qmtl.ops.registry import WINDOW_LIMIT, Operator, bind, operators
from qmtl.ops.shaping import METHODS
from qmtl.runtime.backtest import unique_nodes
from qmtl.runtime.ledger import cells_of, changes_by_lane, emissions
from qmtl.sdk.apply import apply
from qmtl.sdk.cross import _across
from qmtl.sdk.operand import wrap
from qmtl.sdk.shaping import _bars
from qmtl.sdk.strategy import build

from unit.ops.feeds import FIELDS, MINUTE, SOURCES, START, STREAMS, TICK_FIELDS, TICKS, Record, batch_of
from unit.ops.test_every_operator import parameters

Table = dict[str, tuple[np.ndarray, np.ndarray]]  # by output: which buckets have a value; its bits
Ledger = dict[str, dict[str, np.ndarray]]  # by output: the columns of its emissions
FUNCTIONS = ("rows", "time", "none")


@node
def by_rows(view, *, lean: float):
    """Numbers whose sum depends on the order of addition."""
    with np.errstate(invalid="ignore"):  # infinities of both signs
        return float(view.x.mean() + lean * view.y[-1])


@node(outputs=("bars", "ticks"))
def by_time(view):
    with np.errstate(invalid="ignore"):
        return float(view.px["close"].sum()), float(view.ticks["price"].sum() + len(view.ticks))


@node
def sometimes_none(view):
    with np.errstate(invalid="ignore"):
        rise = float(view.x[-1] - view.x[0])
    return None if abs(rise) < 0.6 else rise


class Everything(Strategy):
    """Each operator over the bars of three streams, over values that are taken back, and over bars of ticks."""

    wide: int = 1  # how many times longer the windows are

    def define(self) -> None:
        bars = {name: StreamInput(name, interval="1m", fields=FIELDS) for name in STREAMS}
        ticks = StreamInput(TICKS, fields=TICK_FIELDS)
        for name, operator in operators().items():
            kind = bind(name, given(operator, self.wide))[2].kind
            if operator.cross:
                self._across(operator, bars)
            elif kind is KernelKind.RESAMPLE:
                self._coarser(bars, ticks)
            else:
                self._of_lanes(operator, bars, ticks)
        self._functions(bars, ticks)

    def _of_lanes(self, operator: Operator, bars: dict[str, Any], ticks: StreamInput) -> None:
        for own, other in (("A", "B"), ("B", "C"), ("C", "A")):
            self._told(operator, own, self._applied(operator, bars[own], bars[own].close, bars[other].open))
        flagged = apply("where_only", (bars["A"].flag, bars["A"].close), {})
        made = ticks.bars("1m")
        self._told(
            operator, "ticks", self._applied(operator, made, made.close, bars["B"].close, bars["C"].flag)
        )
        coarse = bars["B"].resample("5m")
        self._told(
            operator, "coarse", self._applied(operator, coarse, coarse.close, bars["C"].close, bars["A"].flag)
        )
        if not operator.stream:
            self._told(operator, "nulls", self._applied(operator, bars["A"], flagged, bars["B"].close))

    def _across(self, operator: Operator, bars: dict[str, Any]) -> None:
        lanes = {name: one.close for name, one in bars.items()}
        lanes["N"] = apply("where_only", (bars["A"].flag, bars["A"].open), {})
        made = _across(operator.name.removeprefix("cross_"), Panel(lanes), **given(operator, self.wide))
        if isinstance(made, Panel):
            for lane in lanes:
                self._told(operator, lane, made[lane])
        else:
            self._told(operator, "", made)

    def _coarser(self, bars: dict[str, Any], ticks: StreamInput) -> None:
        for name, one in (*bars.items(), (TICKS, ticks)):
            column = one.lanes.outputs[3 if name != TICKS else 0]
            for minutes in (1, 5) if name == TICKS else (5,):
                made = _bars(one.lanes, minutes * MINUTE, [column] * len(METHODS), METHODS, METHODS)
                self.output(f"resample[{name} {minutes}m]", wrap(made, panel=False)[METHODS[0]])
        twice = apply("ema", (bars["A"].close,), {"n": 3})
        made = _bars(twice.lanes.node, 5 * MINUTE, ["value"] * len(METHODS), METHODS, METHODS)
        self.output("resample[of ema]", wrap(made, panel=False)[METHODS[0]])

    def _functions(self, bars: dict[str, Any], ticks: StreamInput) -> None:
        a, b = bars["A"], bars["B"]
        self.output("rows[A]", by_rows(x=a.close.window(12), y=b.close.window(3), lean=0.5))
        self.output(
            "rows[C]", by_rows(x=bars["C"].close.window(4), y=a.resample("5m").close.window(1), lean=1.5)
        )
        timed = by_time(px=a.window("7m"), ticks=ticks.window("3m"), interval="1m")
        self.output("time[A]", timed.bars)
        self.output("time[5m]", by_time(px=b.window("10m"), ticks=ticks.window("10m"), interval="5m").bars)
        none = sometimes_none(x=a.close.window(4))
        self.output("none[A]", none)
        for name in ("sma", "ema", "std"):
            self.output(f"none[{name}]", apply(name, (none,), {"n": 4}))

    def _applied(self, operator: Operator, stream: Any, x: Any, y: Any, cond: Any = None) -> Any:
        params = given(operator, self.wide)
        if operator.stream:
            return apply(operator.name, (stream,), params)
        inputs = {"x": x, "y": y, "cond": stream.flag if cond is None else cond}
        return apply(operator.name, tuple(inputs[name] for name in operator.inputs), params)

    def _told(self, operator: Operator, lane: str, made: Any) -> None:
        column = made if isinstance(made.lanes, ir.Column) else made[operator.outputs[0]]
        self.output(f"{operator.name}[{lane}]", column)


def given(operator: Operator, wide: int) -> dict[str, Any]:
    """Small windows, or `wide` times as long; of four lanes at least two."""
    if operator.cross:
        return {one.name: 2 for one in operator.params}
    rows = {one.name for one in operator.params if one.high == WINDOW_LIMIT}
    return {name: one * wide if name in rows else one for name, one in parameters(operator.name).items()}


@cache
def graph(wide: int) -> ir.Graph:
    return expand([build(Everything(wide=wide))], lambda query: [], {})[0]


@dataclass(frozen=True, slots=True)
class Played:
    """An engine that has seen all its arrivals."""

    engine: Engine
    buckets: int
    wide: int

    def homes(self) -> Iterator[tuple[str, Group, int]]:
        """By output, where its node lives."""
        for name, column in graph(self.wide).outputs.items():
            above, lane = source_of(ir.Edge("", column.node, (column.column,)))
            group, first = self.engine.plan.home[above.node_id]
            yield name, group, max(first, lane)

    def table(self) -> Table:
        """The final table; a bucket without a record is as one with a gap (reading 25)."""
        result: Table = {}
        for name, group, lane in self.homes():
            cells = cells_of(self.engine, group, lane, START)
            count = self.buckets * MINUTE // group.interval
            there, bits = np.zeros(count, np.bool_), np.zeros((count, len(group.out)), np.int64)
            at = (cells.bucket - START) // group.interval
            there[at] = cells.status == VALUE
            bits[at] = as_bits(cells.value)
            result[name] = there, np.where(there[:, None], bits, 0)
        return result

    def ledger(self) -> Ledger:
        """Everything told: columns of emissions, values as bits."""
        result: Ledger = {}
        changes = changes_by_lane(self.engine)
        for name, group, lane in self.homes():
            told = emissions(self.engine, group, lane, NEVER, changes)
            columns = {column: getattr(told, column) for column in told.__slots__}
            result[name] = {k: as_bits(v) if v.dtype == np.float64 else v for k, v in columns.items()}
        return result


def play(arrivals: Sequence[Record], buckets: int, stops: Sequence[int] = (), wide: int = 1) -> Played:
    """`arrivals` in batches that end at `stops`, and then the end of every source."""
    nodes = unique_nodes([graph(wide)])
    streams = {n.stream: n for n in nodes.values() if n.kind in (ir.NodeKind.BARS, ir.NodeKind.TICKS)}
    made = Engine(
        planned(list(nodes.values())),
        [[streams[name]] for name in SOURCES],
        [FIELDS] * len(STREAMS) + [TICK_FIELDS],
        {one.node_id: START for one in streams.values()},
        START + buckets * MINUTE,
    )
    start = 0
    for stop in stops:
        made.advance(batch_of(arrivals[start:stop], ended=False))
        start = stop
    made.advance(batch_of(arrivals[start:], ended=True))
    return Played(made, buckets, wide)


def as_bits(values: np.ndarray) -> np.ndarray:
    """The bits of numbers, every NaN the same."""
    return np.where(np.isnan(values), np.nan, values).view(np.int64)


def table_differences(one: Table, other: Table) -> list[str]:
    """Where two tables differ: each output with its first such bucket, and what either has there."""
    found = []
    for name, (there, bits) in one.items():
        also, others = other[name]
        wrong = np.flatnonzero((there != also) | (bits != others).any(axis=1))
        if len(wrong):
            at = int(wrong[0])
            values = [
                b[at].view(np.float64).tolist() if t[at] else None for t, b in ((there, bits), other[name])
            ]
            found.append(f"{name} at bucket {at} and {len(wrong) - 1} more: {values[0]} and {values[1]}")
    return found


def ledger_differences(one: Ledger, other: Ledger) -> list[str]:
    """The outputs and columns in which two ledgers differ."""
    return [
        f"{name}: {column}"
        for name, columns in one.items()
        for column, values in columns.items()
        if not np.array_equal(values, other[name][column])
    ]
