"""A grid: 400 pairs of windows of two moving averages that cross, each traded, to the equity each ends with."""

from __future__ import annotations

import numpy as np

from crossing import compete, equity, sma, table
from harness import Competitor, Outputs, case_as_json, console, keep, options
from tables import show_whole

TITLE = "A grid of 400 pairs"
FAST, SLOW = tuple(range(5, 25)), tuple(range(30, 130, 5))
BARS = {"1k": 1_000, "10k": 10_000}
COMPETITORS = (
    Competitor("qmtl", "crossing:pairs", "Runner.backtest(grid(…))"),
    Competitor("vectorbt", "peers.vectorbt_crossing:pairs", "Portfolio.from_signals of 400 columns"),
)


def main() -> None:
    given = options(tuple(BARS), __doc__)
    cases = {}
    for size in given.sizes:
        made = table(BARS[size])
        close, opened = made["close"].to_numpy(), made["open"].to_numpy()
        samples = compete(
            (made.to_pandas().set_index("time"), FAST, SLOW), COMPETITORS, _answers(opened, close), given
        )
        count = len(FAST) * len(SLOW)
        show_whole(f"{TITLE}: {BARS[size]:,} bars", samples, BARS[size] * count)
        if "qmtl" in samples:
            console.print(f"qmtl: {samples['qmtl'].best / count * 1e3:.2f} ms a pair")
        cases[f"{BARS[size]:,} bars"] = case_as_json(samples, bars=BARS[size] * count, pairs=count)
    keep("grid", TITLE, cases, given)


def _answers(opened: np.ndarray, close: np.ndarray) -> Outputs:
    averages = {rows: sma(close, rows) for rows in (*FAST, *SLOW)}
    ends = [equity(opened, close, averages[a] - averages[b])[-1] for a in FAST for b in SLOW]
    return {"equity": np.array(ends)}


if __name__ == "__main__":
    main()
