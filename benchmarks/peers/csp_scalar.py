"""csp with one tick for each bar of each symbol: two forms.

`stats` uses the library's compiled statistics and arithmetic, one graph of them for each symbol; `node` one csp.node in
Python for each symbol, with all outputs. By row the symbols of a minute tick together in one engine cycle; as events
each has a cycle of its own, in random order of symbols.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter

import csp
import numpy as np
from csp import stats, ts

from peers.steps import NAMES, ScalarStep
from workload import MINUTE, Workload


@csp.node
def by_hand(close: ts[float]) -> csp.Outputs(
    sma20=ts[float], ema12=ts[float], ema26=ts[float], macd=ts[float], rsi14=ts[float], zscore60=ts[float]
):
    with csp.state():
        s_step = ScalarStep()

    if csp.ticked(close):
        sma, fast, slow, macd, rsi, zscore = s_step(close)
        csp.output(sma20=sma, ema12=fast, ema26=slow, macd=macd, rsi14=rsi, zscore60=zscore)


@csp.node
def mean_of(values: [ts[float]], symbols: int) -> ts[float]:
    """Ticks with the last symbol of each minute."""
    with csp.state():
        s_seen = 0
        s_total = 0.0

    if csp.ticked(values):
        for value in values.tickedvalues():
            s_seen += 1
            s_total += value
        if s_seen == symbols:
            mean = s_total / symbols
            s_seen = 0
            s_total = 0.0
            return mean


def wilder(x: csp.Edge, n: int) -> csp.Edge:
    """The average of x seeded by the mean of its first n, then smoothed by 1/n."""
    seed = csp.firstN(stats.mean(x, n, min_window=n), 1)
    seeded = csp.apply(seed, lambda _: True, bool)
    return stats.ema(csp.merge(seed, csp.filter(seeded, x)), alpha=1.0 / n, adjust=False)


def _by_stats(close: csp.Edge) -> dict[str, csp.Edge]:
    fast, slow = stats.ema(close, span=12, adjust=False), stats.ema(close, span=26, adjust=False)
    change = csp.diff(close, 1)
    mean = stats.mean(close, 60, min_window=60)
    deviation = stats.stddev(close, 60, min_window=60, ddof=0)
    return {
        "sma20": stats.mean(close, 20, min_window=20),
        "ema12": fast,
        "ema26": slow,
        "macd": fast - slow,
        "rsi14": wilder(change, 14) / wilder(csp.abs(change), 14) * 50.0 + 50.0,
        "zscore60": csp.sample(deviation, close - mean) / deviation,
    }


def _by_hand(close: csp.Edge) -> dict[str, csp.Edge]:
    made = by_hand(close)
    return {name: getattr(made, name) for name in NAMES}


def _run(
    of: Workload, graph: Callable[[csp.Edge], dict[str, csp.Edge]], times: np.ndarray
) -> tuple[float, dict[str, np.ndarray]]:
    """`times` (T, S) are the ticks' times, minute t's within [START + t, START + t + 1) minutes."""
    ticks = [
        (np.ascontiguousarray(times[:, symbol]), np.ascontiguousarray(of.close[:, symbol]))
        for symbol in range(of.symbols)
    ]

    @csp.graph
    def whole():
        zscores = []
        for symbol, data in enumerate(ticks):
            edges = graph(csp.curve(float, data))
            zscores.append(edges["zscore60"])
            for name, edge in edges.items():
                csp.add_graph_output(f"{name}/{symbol}", edge)
        csp.add_graph_output("mean_zscore60", mean_of(zscores, of.symbols))

    began = perf_counter()
    made = csp.run(
        whole, starttime=datetime(2022, 1, 1), endtime=timedelta(minutes=of.rows), output_numpy=True
    )
    return perf_counter() - began, _dense(of, made)


def _dense(of: Workload, made: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    dense = {name: np.full(of.close.shape, np.nan) for name in NAMES}
    dense["mean_zscore60"] = np.full(of.rows, np.nan)
    for label, (times, values) in made.items():
        name, _, symbol = label.partition("/")
        column = dense[name][:, int(symbol)] if symbol else dense[name]
        column[(times.astype(np.int64) - of.times[0]) // MINUTE] = values
    return dense


def _together(of: Workload) -> np.ndarray:
    return np.broadcast_to(of.times[:, None], of.close.shape).astype("datetime64[ns]")


def _one_by_one(of: Workload) -> np.ndarray:
    """In the order of arrival, a microsecond apart."""
    arrivals = of.arrivals
    place = np.arange(len(arrivals)) - arrivals.offsets[arrivals.row]
    times = np.empty(of.close.shape, np.int64)
    times[arrivals.row, arrivals.symbol] = of.times[arrivals.row] + place * 1_000
    return times.astype("datetime64[ns]")


def rows_stats(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _run(of, _by_stats, _together(of))


def rows_node(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _run(of, _by_hand, _together(of))


def events_stats(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _run(of, _by_stats, _one_by_one(of))


def events_node(of: Workload) -> tuple[float, dict[str, np.ndarray]]:
    return _run(of, _by_hand, _one_by_one(of))
