"""Many strategies in one run that share nine tenths of their nodes: what a run costs beside its unique nodes.

Every strategy has the same 18 nodes and 2 of its own. Unique nodes times their unit is what one strategy costs that has
all of these nodes. Defining is a part of a run; it is shown by itself too, since it does not grow with the bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
import pandas as pd

from engines import walk
from figures import Figure, Lines, case, show
from harness import interleaved, keep, options
from qmtl import Runner, Strategy, StreamInput
from qmtl.core.graph.expand import expand
from qmtl.sdk.strategy import build
from workload import FIELDS, MINUTE, START

TITLE = "Strategies that share their nodes"
COUNTS = (1, 10, 100)
BARS = {"10k": 10_000, "100k": 100_000}
SHARED, OWN = 18, 2
MOST = 5.0  # per cent


class Sharing(Strategy):
    """Averages that all strategies have, and two of its own."""

    number: int = 0

    def define(self) -> None:
        close = StreamInput("BTC", interval="1m").close
        for each in range(SHARED):
            self.output(f"shared {each}", close.ema(2 + each))
        for each in range(OWN):
            self.output(f"own {each}", close.ema(100 + OWN * self.number + each))


class Alone(Strategy):
    """One strategy with all the nodes that so many others have together."""

    count: int = 1

    def define(self) -> None:
        close = StreamInput("BTC", interval="1m").close
        for each in range(SHARED):
            self.output(f"shared {each}", close.ema(2 + each))
        for each in range(OWN * self.count):
            self.output(f"own {each}", close.ema(100 + each))


def main() -> None:
    given = options(tuple(BARS), __doc__)
    cases = {}
    for size in given.sizes:
        frame = _frame(BARS[size])
        lines = _lines(frame, given.rounds)
        figures = _figures(lines)
        show(f"{TITLE}: {BARS[size]:,} bars", figures, lines)
        cases[f"{BARS[size]:,} bars"] = case(figures, lines)
    keep("strategies", TITLE, cases, given)


def _figures(lines: Lines) -> dict[str, Figure]:
    many, one = lines.lines["as strategies"], lines.lines["as one strategy"]
    defining, once = (lines.lines[f"{way}, only defined"] for way in ("as strategies", "as one strategy"))
    figures = {}
    for at, count in enumerate(COUNTS):
        if count > 1:
            label = f"{count} strategies, more than {lines.at[at]:,} nodes in one"
            figures[label] = Figure((many[at] / one[at] - 1.0) * 100, "%", MOST)
            rest = (many[at] - defining[at]) / (one[at] - once[at]) - 1.0
            figures[f"{label}, without defining"] = Figure(rest * 100, "%")
    declared = (SHARED + OWN) * COUNTS[-1]
    return figures | {"defining a node": Figure(defining[-1] / declared * 1e3, "µs")}


def _lines(frame: pd.DataFrame, rounds: int) -> Lines:
    """Milliseconds by the number of unique nodes."""
    runs: dict[str, Callable[[], float]] = {}
    for count in COUNTS:
        _check(count, frame)
        many, one = [Sharing(number=n) for n in range(count)], [Alone(count=count)]
        runs[f"as strategies {count}"] = lambda many=many: _seconds(many, frame)
        runs[f"as one strategy {count}"] = lambda one=one: _seconds(one, frame)
        runs[f"as strategies, only defined {count}"] = lambda many=many: _defining(many)
        runs[f"as one strategy, only defined {count}"] = lambda one=one: _defining(one)
    samples = interleaved(runs, rounds)
    ways = [f"{way}{part}" for part in ("", ", only defined") for way in ("as strategies", "as one strategy")]
    found = {way: [samples[f"{way} {count}"].best * 1e3 for count in COUNTS] for way in ways}
    return Lines("unique nodes", [SHARED + OWN * count for count in COUNTS], found, "ms")


def _defining(strategies: Sequence[Strategy]) -> float:
    """Seconds until the graphs are there."""
    began = perf_counter()
    expand([build(strategy) for strategy in strategies], lambda query: [])
    return perf_counter() - began


def _frame(bars: int) -> pd.DataFrame:
    values, index = walk(bars, 1)[:, 0], pd.to_datetime(START + np.arange(bars) * MINUTE, utc=True)
    return pd.DataFrame(values, columns=list(FIELDS), index=index.rename("time"))


def _seconds(strategies: Sequence[Strategy], frame: pd.DataFrame) -> float:
    began = perf_counter()
    Runner.backtest(strategies, {"BTC": frame}, progress=False)
    return perf_counter() - began


def _check(count: int, frame: pd.DataFrame) -> None:
    """Both compute the same nodes, each once, and the same numbers."""
    strategies = [Sharing(number=n) for n in range(count)]
    many = Runner.backtest(strategies, {"BTC": frame}, progress=False)
    one = Runner.backtest(Alone(count=count), {"BTC": frame}, progress=False)
    if many.sharing["computed"] != one.sharing["computed"] or many.manifest["nodes"] != one.manifest["nodes"]:
        raise AssertionError(f"{many.sharing} is not {one.sharing}")
    for number, strategy in enumerate(strategies):
        for each in range(OWN):
            theirs = many[strategy].frame(f"own {each}").to_numpy()
            if not np.array_equal(theirs, one.frame(f"own {OWN * number + each}").to_numpy(), equal_nan=True):
                raise AssertionError(f"strategy {number} has other numbers alone")


if __name__ == "__main__":
    main()
