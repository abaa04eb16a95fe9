"""A backtest for questions of whole runs: long while a fast average lies above a slow one, else flat.

What is decided at a bar's end is filled at the next open, with all of the equity and without costs. Here are the right
answers, in plain loops, and qmtl's forms; those of the peers are in `peers/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engines import walk
from harness import Competitor, Options, Sample, console, interleaved
from qmtl import Runner, Strategy, StreamInput, grid, where
from workload import FIELDS, MINUTE, START

FAST, SLOW = 12, 26
CAPITAL = 100_000.0
TOLERANCE = 1e-6
Outputs = Mapping[str, np.ndarray]
Form = Callable[[Any], tuple[float, Outputs]]


class Averages(Strategy):
    """Exponential averages, and trading by their difference."""

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m")
        fast, slow = btc.close.ema(FAST), btc.close.ema(SLOW)
        for name, series in {"fast": fast, "slow": slow, "edge": fast - slow}.items():
            self.output(name, series)
        self.target(btc, where(fast - slow > 0, 1.0, 0.0))


class Crossing(Strategy):
    """Moving averages as parameters."""

    fast: int = 10
    slow: int = 50

    def define(self) -> None:
        btc = StreamInput("BTC", interval="1m")
        edge = btc.close.sma(self.fast) - btc.close.sma(self.slow)
        self.target(btc, where(edge > 0, 1.0, 0.0))


def parquet(path: Path) -> tuple[float, Outputs]:
    """From the file to frames of three series and the equity at every bar's end."""
    began = perf_counter()
    run = Runner.backtest(Averages(), {"BTC": path}, progress=False)
    frames = {name: run.frame(name) for name in ("fast", "slow", "edge")}
    equity = run.portfolio.equity
    seconds = perf_counter() - began
    values = {name: frame.to_numpy()[:, 0] for name, frame in frames.items()}
    return seconds, {**values, "equity": equity[1:]}


def pairs(of: tuple[Any, Sequence[int], Sequence[int]]) -> tuple[float, Outputs]:
    """From a frame to the equity that every pair of windows ends with."""
    frame, fast, slow = of
    began = perf_counter()
    run = Runner.backtest(grid(Crossing, fast=fast, slow=slow), {"BTC": frame}, progress=False)
    equity = np.array([result.portfolio.equity[-1] for result in run])
    return perf_counter() - began, {"equity": equity}


def table(bars: int) -> pa.Table:
    """Bars of a random walk whose opens are not the closes before, by time."""
    values = walk(bars, 1)[:, 0].copy()
    values[:, 0] *= np.exp(np.random.default_rng(2).normal(0.0, 1e-4, bars))
    values[:, 1], values[:, 2] = values[:, [0, 3]].max(axis=1), values[:, [0, 3]].min(axis=1)
    times = pa.array(START + np.arange(bars) * MINUTE, pa.timestamp("ns", "UTC"))
    return pa.table({"time": times} | {name: values[:, at].copy() for at, name in enumerate(FIELDS)})


def write(bars: int, path: Path) -> pa.Table:
    made = table(bars)
    pq.write_table(made, path)
    return made


def answers(of: pa.Table) -> Outputs:
    """What `parquet` is to give."""
    opened, close = (of[name].to_numpy() for name in ("open", "close"))
    fast, slow = (ema(close, span) for span in (FAST, SLOW))
    return {"fast": fast, "slow": slow, "edge": fast - slow, "equity": equity(opened, close, fast - slow)}


def ema(close: np.ndarray, span: int) -> np.ndarray:
    found, alpha = np.empty_like(close), 2.0 / (span + 1.0)
    held = close[0]
    for at, price in enumerate(close.tolist()):
        held += alpha * (price - held)
        found[at] = held
    return found


def sma(close: np.ndarray, rows: int) -> np.ndarray:
    found = np.full_like(close, np.nan)
    found[rows - 1 :] = np.lib.stride_tricks.sliding_window_view(close, rows).mean(axis=1)
    return found


def equity(opened: np.ndarray, close: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """At every bar's end, by a loop over the bars."""
    found = np.empty_like(close)
    cash, units, wanted = CAPITAL, 0.0, False
    for at, (first, last, sign) in enumerate(
        zip(opened.tolist(), close.tolist(), edge.tolist(), strict=True)
    ):
        if wanted and not units:
            cash, units = 0.0, cash / first
        elif units and not wanted:
            cash, units = units * first, 0.0
        found[at] = cash + units * last
        wanted = sign > 0
    return found


def compete(
    of: Any, competitors: Sequence[Competitor], expected: Outputs, given: Options
) -> dict[str, Sample]:
    """As `harness.compete`, for a form of anything and answers that are known."""
    samples: dict[str, Sample] = {}
    runs: dict[str, Callable[[], float]] = {}
    for each in competitors:
        form: Any = each.load() if given.chosen(each.name) else None
        if form is None:
            continue
        errors = compared(form(of)[1], expected)
        if max(errors.values()) > TOLERANCE:
            console.print(f"[red]WRONG: {each.name}: {errors}[/red]")
            continue
        samples[each.name] = Sample(errors=errors, note=each.note)
        runs[each.name] = lambda form=form: form(of)[0]
    return interleaved(runs, given.rounds, samples)


def compared(outputs: Outputs, expected: Outputs) -> dict[str, float]:
    """The largest error of each output, relative where the answer is above 1."""
    found = {}
    for name, right in expected.items():
        wrong = np.abs(outputs[name] - right) / np.maximum(1.0, np.abs(right))
        found[name] = float("inf") if np.isnan(wrong).any() else float(wrong.max())
    return found
