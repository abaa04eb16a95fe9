"""The same backtest again: fifty nodes of an author's function of about 20 µs, whose results are kept in files.

Times are of `Runner.backtest` with every result read, compiled before. The cache is a new folder in each round.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from engines import walk
from figures import Figure, case, show
from harness import keep, options
from qmtl import Runner, Strategy, StreamInput, node
from qmtl.core.flow.view import View
from workload import FIELDS, MINUTE, START

TITLE = "Results known already"
NODES = 50
BARS = {"10k": 10_000, "quick": 2_048}


@node
def dear(view: View, *, k: float) -> float:
    """About 20 µs of plain Python."""
    total = 0.0
    for one in view.x.tolist() * 18:
        total += one * k - 1.0
    return total


class Dear(Strategy):
    """Nodes over a close, every tenth over an inner node."""

    inner: float = 1.0

    def define(self) -> None:
        close = StreamInput("BTC", interval="1m").close
        inner = dear(x=close.window(20), k=self.inner)
        self.output("inner", inner)
        for each in range(NODES - 1):
            above = inner if each % 10 == 0 else close
            self.output(f"node {each}", dear(x=above.window(10 + each), k=float(each)))


def main() -> None:
    given = options(("10k",), __doc__)
    bars = BARS["quick" if given.quick else "10k"]
    rounds = [_round(bars) for _ in range(1 if given.quick else min(given.rounds, 3))]
    best = {name: min(each[name] for each in rounds) for name in rounds[0]}
    figures = {"first": Figure(best["first"], "s")}
    share = {name: seconds / best["first"] * 100 for name, seconds in best.items()}
    figures["the same again"] = Figure(share["again"], "% of the first", 5.0)
    figures["a tenth longer"] = Figure(share["longer"], "% of the first", 15.0)
    figures["another inner node"] = Figure(
        share["other"], "% of the first", note="it and 5 of 50 depend on it"
    )
    figures["without a cache"] = Figure(share["nowhere"], "% of the first")
    show(f"{TITLE}: {bars:,} bars", figures)
    keep("reuse", TITLE, {f"{bars:,} bars": case(figures, rows=bars)}, given)


def _round(bars: int) -> dict[str, float]:
    whole, longer = _frame(bars), _frame(bars + bars // 10)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        _run(Dear(), _frame(64), False)  # compiles
        first, wanted = _run(Dear(), whole, cache)
        again, known = _run(Dear(), whole, cache)
        if not np.array_equal(wanted, known, equal_nan=True):
            raise AssertionError("results that were reused are not those computed")
        return {
            "first": first,
            "again": again,
            "longer": _run(Dear(), longer, cache)[0],
            "other": _run(Dear(inner=2.0), whole, cache)[0],
            "nowhere": _run(Dear(), whole, False)[0],
        }


def _run(strategy: Strategy, frame: pd.DataFrame, cache: Path | bool) -> tuple[float, np.ndarray]:
    """Seconds, and all results."""
    began = perf_counter()
    run = Runner.backtest(strategy, {"BTC": frame}, cache=cache, progress=False)
    names = ["inner", *(f"node {each}" for each in range(NODES - 1))]
    found = np.stack([run.frame(name).to_numpy()[:, 0] for name in names])
    return perf_counter() - began, found


def _frame(bars: int) -> pd.DataFrame:
    values, index = walk(bars, 1)[:, 0], pd.to_datetime(START + np.arange(bars) * MINUTE, utc=True)
    return pd.DataFrame(values, columns=list(FIELDS), index=index.rename("time"))


if __name__ == "__main__":
    main()
