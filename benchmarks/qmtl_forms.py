"""qmtl's forms of workload W: the whole engine, fed by the minute, by the single bar, or with all at once.

The graph is built and planned once for each run, outside of the time, as the peers' columns are. What is timed are the
calls that hand bars to the engine; every output of every bar stands in the engine's storage afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from time import perf_counter

import numpy as np

from qmtl import Panel, Strategy, StreamInput, cross
from qmtl.core.flow.building import build as planned
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.feed import FINISHED
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import Node, NodeKind
from qmtl.runtime.backtest import unique_nodes
from qmtl.sdk.strategy import build
from workload import FIELDS, MINUTE, Workload

Outputs = dict[str, np.ndarray]
OF_A_SYMBOL = ("sma20", "ema12", "ema26", "macd", "rsi14", "zscore60")


@dataclass(frozen=True, slots=True)
class Batch:
    """Bars in order of arrival, their values in one table."""

    kind: np.ndarray
    source: np.ndarray
    event_ns: np.ndarray
    available_ns: np.ndarray
    row: np.ndarray
    flat: np.ndarray
    values: Sequence[np.ndarray] = ()
    event_id: Sequence[np.ndarray] = ()
    revision: Sequence[np.ndarray] = ()


class Indicators(Strategy):
    """Workload W."""

    names: tuple[str, ...] = ()

    def define(self) -> None:
        scores = {}
        for name in self.names:
            close = StreamInput(name, interval="1m").close
            fast, slow = close.ema(12), close.ema(26)
            made = {"sma20": close.sma(20), "ema12": fast, "ema26": slow, "macd": fast - slow}
            made |= {"rsi14": close.rsi(14), "zscore60": close.zscore(60)}
            for label, series in made.items():
                self.output(f"{label} {name}", series)
            scores[name] = made["zscore60"]
        self.output("mean_zscore60", cross.mean(Panel(scores)))


@lru_cache(maxsize=2)
def _graph(names: tuple[str, ...]) -> tuple[dict[str, Node], dict[str, Node]]:
    """All nodes by id, and those of the outputs by name."""
    (graph,) = expand([build(Indicators(names=names))], lambda query: [])
    return unique_nodes([graph]), {name: column.node for name, column in graph.outputs.items()}


def _engine(of: Workload) -> Engine:
    nodes, _ = _graph(of.names)
    streams = {node.stream: node for node in nodes.values() if node.kind is NodeKind.BARS}
    sources = [[streams[name]] for name in of.names]
    origins = {node.node_id: int(of.times[0]) for node in streams.values()}
    engine = Engine(
        planned(list(nodes.values())), sources, [FIELDS] * of.symbols, origins, int(of.times[-1]) + MINUTE
    )
    for timeline in engine.plan.timelines.values():
        timeline.reserve(int(of.times[0]), int(of.times[-1]), touch=True)
    return engine


def _batches(of: Workload, cuts: Iterable[tuple[int, int]], in_order: bool = False) -> list[Batch]:
    """Arrivals as they come, or (of complete minutes) in the order of the symbols."""
    symbol, row = of.arrivals.symbol, of.arrivals.row
    if in_order:
        symbol, row = np.tile(np.arange(of.symbols), of.rows), np.repeat(np.arange(of.rows), of.symbols)
    flat = np.ascontiguousarray(np.stack([of.field(name)[row, symbol] for name in FIELDS], axis=1))
    kind, source, time = np.zeros(len(symbol), np.uint8), symbol.astype(np.int32), of.times[row]
    arrived = np.maximum.accumulate(time) + MINUTE
    number = np.arange(len(symbol))
    return [
        Batch(kind[a:b], source[a:b], time[a:b], arrived[a:b], number[: b - a], flat[a:b])
        for a, b in cuts
        if b > a
    ]


def _ends(of: Workload) -> Batch:
    """The end of every source."""
    count = of.symbols
    none, flat = np.zeros(count, np.int64), np.zeros((1, len(FIELDS)))
    return Batch(np.full(count, FINISHED, np.uint8), np.arange(count, dtype=np.int32), none, none, none, flat)


def _run(of: Workload, cuts: Iterable[tuple[int, int]], in_order: bool = False) -> tuple[float, Outputs]:
    engine, batches = prepared_batches(of, cuts, in_order)
    return by_batch(engine, batches), _outputs(of, engine)


def prepared_batches(
    of: Workload, cuts: Iterable[tuple[int, int]], in_order: bool = False
) -> tuple[Engine, list[Batch]]:
    """An engine, and what it is given in so many calls."""
    batches, engine = _batches(of, cuts, in_order), _engine(of)
    if of.disordered:  # nobody waits any longer for what is missing at the end
        batches.append(_ends(of))
    return engine, batches


def by_batch(engine: Engine, batches: list[Batch]) -> float:
    """Seconds of all calls."""
    began = perf_counter()
    for batch in batches:
        engine.advance(batch)
    return perf_counter() - began


def _outputs(of: Workload, engine: Engine) -> Outputs:
    """What stands in the engine's storage, as (T, S); NaN where there is no value."""
    _, made = _graph(of.names)
    found = {
        label: [_column(of, engine, made[f"{label} {name}"]) for name in of.names] for label in OF_A_SYMBOL
    }
    outputs = {label: np.stack(columns, axis=1) for label, columns in found.items()}
    return outputs | {"mean_zscore60": _column(of, engine, made["mean_zscore60"])}


def _column(of: Workload, engine: Engine, node: Node) -> np.ndarray:
    group, lane = engine.plan.home[node.node_id]
    timeline = group.timeline
    assert timeline is not None
    first = timeline.row(int(of.times[0]))
    rows = slice(first, first + of.rows)
    return np.where(group.S[rows, lane] == VALUE, timeline.V[rows, group.out[0] + lane], np.nan)


def rows(of: Workload) -> tuple[float, Outputs]:
    """All bars of a minute in one call: as a row, in the order of the symbols, where all of them are there."""
    if of.disordered:
        return _run(of, pairwise(of.arrivals.offsets.tolist()))
    engine, given = prepared(of)
    return by_row(engine, given), _outputs(of, engine)


def prepared(of: Workload) -> tuple[Engine, list[tuple[int, int, np.ndarray]]]:
    """An engine, and what it is given row by row."""
    table = np.ascontiguousarray(np.stack([of.field(name) for name in FIELDS], axis=1))
    given = [(time, time + MINUTE, values) for time, values in zip(of.times.tolist(), table, strict=True)]
    return _engine(of), given


def by_row(engine: Engine, given: list[tuple[int, int, np.ndarray]]) -> float:
    """Seconds of all rows."""
    began = perf_counter()
    for time, known, values in given:
        engine.row(time, known, values)
    return perf_counter() - began


def calls(of: Workload) -> tuple[float, Outputs]:
    """One bar a call."""
    count = len(of.arrivals)
    return _run(of, pairwise(range(count + 1)))


def events(of: Workload) -> tuple[float, Outputs]:
    """Single bars, symbols in random order, taken one by one from one table, as csp takes them from its curves."""
    return _run(of, [(0, len(of.arrivals))])


def blocks(of: Workload) -> tuple[float, Outputs]:
    """All bars in one call, in the order of the symbols within each minute."""
    return _run(of, [(0, len(of.arrivals))], in_order=not of.disordered)
