"""Engines over one stream or a few of equal length, for questions that are not about workload W."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from qmtl import Strategy
from qmtl.core.flow.building import build as planned
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.timeline import FOREVER
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.backtest import unique_nodes
from qmtl.sdk.strategy import build
from qmtl_forms import Batch
from workload import FIELDS, MINUTE, START

Outputs = Callable[[], Mapping[str, Any]]


def engine_of(outputs: Outputs, rows: int) -> Engine:
    """An engine for what `outputs()` declares, with room for `rows` minutes; sources in the order of their names."""

    class Declared(Strategy):
        def define(self) -> None:
            for name, series in outputs().items():
                self.output(name, series)

    (graph,) = expand([build(Declared())], lambda query: [])
    nodes = unique_nodes([graph])
    streams = sorted((one for one in nodes.values() if one.kind is NodeKind.BARS), key=lambda one: one.stream)
    origins = {one.node_id: START for one in streams}
    plan = planned(list(nodes.values()))
    made = Engine(plan, [[one] for one in streams], [FIELDS] * len(streams), origins, FOREVER)
    for timeline in plan.timelines.values():
        timeline.reserve(START, START + rows * MINUTE, touch=True)
    return made


def walk(rows: int, lanes: int = 1, seed: int = 1) -> np.ndarray:
    """Closes (rows, lanes) of a random walk."""
    return 100 + np.random.default_rng(seed).normal(0, 0.1, (rows, lanes)).cumsum(axis=0)


def batch(source: np.ndarray, row: np.ndarray, close: np.ndarray) -> Batch:
    """Bars of one value, in order of arrival."""
    time = START + row.astype(np.int64) * MINUTE
    known = np.maximum.accumulate(time) + MINUTE
    table = np.repeat(close.astype(np.float64)[:, None], len(FIELDS), axis=1)
    kind = np.zeros(len(row), np.uint8)
    return Batch(kind, source.astype(np.int32), time, known, np.arange(len(row)), np.ascontiguousarray(table))
