"""csp with one tick a minute that carries all symbols as a numpy array: three forms.

`stats` uses the library's own compiled statistics, `node` one csp.node with numpy inside, `compiled` one csp.node that
calls the limit's loop: what remains then is csp's own cost for a tick and its outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter

import csp
import numpy as np
from csp import stats, ts
from csp.typing import NumpyNDArray

import fused
from peers.steps import NAMES, VectorStep
from workload import Workload

Row = NumpyNDArray[float]


@csp.node
def by_hand(close: ts[Row], symbols: int) -> csp.Outputs(
    sma20=ts[Row], ema12=ts[Row], ema26=ts[Row], macd=ts[Row], rsi14=ts[Row], zscore60=ts[Row], mean=ts[float]
):
    with csp.state():
        s_step = VectorStep(symbols)

    if csp.ticked(close):
        sma, fast, slow, macd, rsi, zscore = s_step(close)
        csp.output(
            sma20=sma,
            ema12=fast,
            ema26=slow,
            macd=macd,
            rsi14=rsi,
            zscore60=zscore,
            mean=float(np.add.reduce(zscore) / symbols),
        )


@csp.node
def compiled(close: ts[Row], symbols: int) -> csp.Outputs(table=ts[np.ndarray], mean=ts[float]):
    """The six outputs as the rows of one table (6, S)."""
    with csp.state():
        s_count = 0
        s_state = np.zeros((fused.RING + 60, symbols))

    if csp.ticked(close):
        table = np.empty((6, symbols))
        mean = fused.one(s_count, close, s_state, table)
        s_count += 1
        csp.output(table=table, mean=mean)


@csp.node
def mean_of(row: ts[Row]) -> ts[float]:
    if csp.ticked(row):
        return float(np.add.reduce(row) / len(row))


@csp.node
def absolute(row: ts[Row]) -> ts[Row]:
    if csp.ticked(row):
        return np.abs(row)


@csp.node
def strength(change: ts[Row], size: ts[Row]) -> ts[Row]:
    if csp.ticked(change, size):
        return change / size * 50.0 + 50.0


@csp.node
def standing(close: ts[Row], mean: ts[Row], deviation: ts[Row]) -> ts[Row]:
    if csp.ticked(deviation):
        return (close - mean) / deviation


def wilder(x: csp.Edge, n: int) -> csp.Edge:
    """The average of x seeded by the mean of its first n, then smoothed by 1/n."""
    seed = csp.firstN(stats.mean(x, n, min_window=n), 1)
    seeded = csp.apply(seed, lambda _: True, bool)
    return stats.ema(csp.merge(seed, csp.filter(seeded, x)), alpha=1.0 / n, adjust=False)


def _by_stats(close: csp.Edge, symbols: int) -> dict[str, csp.Edge]:
    fast, slow = stats.ema(close, span=12, adjust=False), stats.ema(close, span=26, adjust=False)
    change = csp.diff(close, 1)
    mean = stats.mean(close, 60, min_window=60)
    zscore = standing(close, mean, stats.stddev(close, 60, min_window=60, ddof=0))
    return {
        "sma20": stats.mean(close, 20, min_window=20),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": strength(wilder(change, 14), wilder(absolute(change), 14)),
        "zscore60": zscore,
        "mean_zscore60": mean_of(zscore),
    }


def _by_hand(close: csp.Edge, symbols: int) -> dict[str, csp.Edge]:
    made = by_hand(close, symbols)
    return {**{name: getattr(made, name) for name in NAMES}, "mean_zscore60": made.mean}


def _compiled(close: csp.Edge, symbols: int) -> dict[str, csp.Edge]:
    made = compiled(close, symbols)
    return {"table": made.table, "mean_zscore60": made.mean}


def _run(of: Workload, graph: Callable[[csp.Edge, int], dict[str, csp.Edge]]) -> tuple[float, dict]:
    times = of.times.astype("datetime64[ns]")
    ticks = np.empty(of.rows, object)
    ticks[:] = [np.ascontiguousarray(each) for each in of.close]

    @csp.graph
    def whole():
        close = csp.curve(Row, (times, ticks))
        for name, edge in graph(close, of.symbols).items():
            csp.add_graph_output(name, edge)

    began = perf_counter()
    made = csp.run(
        whole, starttime=datetime(2022, 1, 1), endtime=timedelta(minutes=of.rows), output_numpy=True
    )
    seconds = perf_counter() - began
    return seconds, {name: _dense(of, *ticks) for name, ticks in made.items()}


def _dense(of: Workload, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Ticks as an array over all minutes, NaN where there was none."""
    stacked = np.stack(values) if values.dtype == object else values
    dense = np.full((of.rows, *stacked.shape[1:]), np.nan)
    dense[np.searchsorted(of.times, times.astype(np.int64))] = stacked
    return dense


def rows_stats(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _run(of, _by_stats)


def rows_node(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _run(of, _by_hand)


def rows_compiled(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    seconds, made = _run(of, _compiled)
    table = made.pop("table")
    return seconds, {**{name: table[:, at] for at, name in enumerate(NAMES)}, **made}
