"""bytewax: a keyed flow with one step in Python for each bar, and one with a numpy row for each minute.

A bar goes to its symbol's state, its zscore on to the mean over symbols, and every output into a list.
By row the source hands out a minute at a time, as events one bar at a time. One worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import bytewax.operators as op
import numpy as np
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource, run_main

from peers.steps import NAMES, ScalarStep, VectorStep
from workload import Workload


class Indicators(StatefulBatchLogic):
    """Bars (row, close) of one symbol to (row, outputs)."""

    def __init__(self, _resumed: Any) -> None:
        self.step = ScalarStep()

    def on_batch(self, values: list[tuple[int, float]]) -> tuple[Iterable[Any], bool]:
        step = self.step
        return [(row, step(close)) for row, close in values], self.RETAIN

    def snapshot(self) -> Any:
        return self.step


class MeanOfSymbols(StatefulBatchLogic):
    """Zscores (row, value) of all symbols to (row, mean), when the last one of a row has come."""

    def __init__(self, symbols: int) -> None:
        self.symbols = symbols
        self.open: dict[int, tuple[int, float]] = {}

    def on_batch(self, values: list[tuple[int, float]]) -> tuple[Iterable[Any], bool]:
        done = []
        for row, value in values:
            seen, total = self.open.pop(row, (0, 0.0))
            if seen + 1 == self.symbols:
                done.append((row, (total + value) / self.symbols))
            else:
                self.open[row] = seen + 1, total + value
        return done, self.RETAIN

    def snapshot(self) -> Any:
        return dict(self.open)


def _keyed(of: Workload, batch: int) -> tuple[float, dict[str, np.ndarray]]:
    keys = [str(symbol) for symbol in range(of.symbols)]
    symbols, rows = of.arrivals.symbol, of.arrivals.row
    closes = of.close[rows, symbols].tolist()
    bars = [
        (keys[s], (row, close)) for s, row, close in zip(symbols.tolist(), rows.tolist(), closes, strict=True)
    ]
    outputs: list[Any] = []
    means: list[Any] = []
    flow = Dataflow("w")
    made = op.stateful_batch("indicators", op.input("bars", flow, TestingSource(bars, batch)), Indicators)
    zscores = op.map("zscore", made, lambda item: ("all", (item[1][0], item[1][1][5])))
    mean = op.stateful_batch("mean", zscores, lambda _: MeanOfSymbols(of.symbols))
    op.output("outputs", made, TestingSink(outputs))
    op.output("means", mean, TestingSink(means))
    began = perf_counter()
    run_main(flow)
    seconds = perf_counter() - began
    return seconds, _dense(of, outputs, means)


def _dense(of: Workload, outputs: list[Any], means: list[Any]) -> dict[str, np.ndarray]:
    table = np.full((of.rows, of.symbols, len(NAMES)), np.nan)
    symbols = [int(symbol) for symbol, _ in outputs]
    rows = [row for _, (row, _) in outputs]
    table[rows, symbols] = [values for _, (_, values) in outputs]
    mean = np.full(of.rows, np.nan)
    mean[[row for _, (row, _) in means]] = [value for _, (_, value) in means]
    return {**{name: table[:, :, at] for at, name in enumerate(NAMES)}, "mean_zscore60": mean}


def rows(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _keyed(of, of.symbols)


def events(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _keyed(of, 1)


def rows_vector(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    ticks = [np.ascontiguousarray(row) for row in of.close]
    outputs: list[Any] = []
    step = VectorStep(of.symbols)

    def whole_row(close: np.ndarray) -> tuple[Any, ...]:
        made = step(close)
        return (*made, float(np.add.reduce(made[5]) / len(close)))

    flow = Dataflow("w")
    made = op.map("outputs", op.input("rows", flow, TestingSource(ticks, 1)), whole_row)
    op.output("kept", made, TestingSink(outputs))
    began = perf_counter()
    run_main(flow)
    seconds = perf_counter() - began
    columns = {name: np.stack([each[at] for each in outputs]) for at, name in enumerate(NAMES)}
    return seconds, {**columns, "mean_zscore60": np.array([each[6] for each in outputs])}
