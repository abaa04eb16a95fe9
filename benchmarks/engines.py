"""An engine of any strategy, and batches of bars for it, where a question is not about workload W."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qmtl import Strategy
from qmtl.core.flow.building import build as planned
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.timeline import FOREVER, VALUE, floor_to
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import Graph, Node, NodeKind
from qmtl.runtime.backtest import unique_nodes
from qmtl.sdk.strategy import build
from qmtl_forms import Batch
from workload import FIELDS, MINUTE, START


def graph_of(strategy: Strategy) -> Graph:
    (graph,) = expand([build(strategy)], lambda query: [])
    return graph


@dataclass(frozen=True)
class Fed:
    """An engine with the graph it runs; rows are minutes from START on."""

    engine: Engine
    graph: Graph

    def column(self, name: str, minutes: int) -> np.ndarray:
        """What stands in the storage of an output over the first `minutes`; NaN where there is no value."""
        node = self.graph.outputs[name].node
        group, lane = self.engine.plan.home[node.node_id]
        timeline = group.timeline
        assert timeline is not None
        first, last = (timeline.row(floor_to(START + m * MINUTE, group.interval)) for m in (0, minutes))
        number = node.outputs.index(self.graph.outputs[name].column)
        values = timeline.V[first:last, group.out[number] + lane]
        return np.where(group.S[first:last, lane] == VALUE, values, np.nan)


def engine_for(strategy: Strategy, names: tuple[str, ...], minutes: int) -> Fed:
    """With room for all that will come, as in a backtest."""
    graph = graph_of(strategy)
    nodes = list(unique_nodes([graph]).values())
    streams: dict[str | None, Node] = {node.stream: node for node in nodes if node.kind is NodeKind.BARS}
    origins = {node.node_id: START for node in streams.values()}
    engine = Engine(
        planned(nodes), [[streams[name]] for name in names], [FIELDS] * len(names), origins, FOREVER
    )
    for interval, timeline in engine.plan.timelines.items():
        timeline.reserve(floor_to(START, interval), floor_to(START + minutes * MINUTE, interval))
    return Fed(engine, graph)


def walk(minutes: int, symbols: int, seed: int = 1) -> np.ndarray:
    """Bars of a random walk, (minutes, symbols, fields)."""
    chance = np.random.default_rng(seed)
    close = 100.0 * np.exp(chance.normal(0.0, 5e-4, (minutes, symbols)).cumsum(axis=0))
    bars = np.stack([close] * len(FIELDS), axis=2)
    bars[:, :, FIELDS.index("open")] = np.vstack([np.full((1, symbols), 100.0), close[:-1]])
    bars[:, :, FIELDS.index("volume")] = 1.0
    return bars


def batch(bars: np.ndarray, minute: np.ndarray, symbol: np.ndarray, now: int = 0) -> Batch:
    """Bars of these minutes and symbols, in the order given; none is known before minute `now` has ended."""
    times = START + minute * MINUTE
    known = np.maximum(np.maximum.accumulate(times), START + now * MINUTE) + MINUTE
    flat = np.ascontiguousarray(bars[minute, symbol])
    return Batch(
        np.zeros(len(times), np.uint8), symbol.astype(np.int32), times, known, np.arange(len(times)), flat
    )
