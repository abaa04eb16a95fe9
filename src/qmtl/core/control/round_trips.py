"""Round trips: from flat to flat, per stream.

A fill that changes the sign of a position ends one trip and begins the next; its fee is split between them by
quantity. What a trip earned is everything received minus everything paid between its two ends, rebalancing fills and
fees included. A position still open at the end of the run is not a round trip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qmtl.core.control.portfolio import Fills


@dataclass(frozen=True, slots=True, eq=False)
class RoundTrips:
    """One row per completed trip, ordered by exit."""

    stream: NDArray[np.int64]
    entry_ts: NDArray[np.int64]  # ns
    exit_ts: NDArray[np.int64]  # ns
    side: NDArray[np.int64]  # 1 long, -1 short
    profit: NDArray[np.float64]  # currency, costs included

    def __len__(self) -> int:
        return len(self.profit)

    @property
    def win_rate(self) -> float:
        """Share of trips that earned more than nothing; NaN without a trip."""
        return float(np.mean(self.profit > 0)) if len(self) else float("nan")


def round_trips(fills: Fills) -> RoundTrips:
    """The completed round trips among `fills`."""
    rows: list[tuple[int, int, int, int, float]] = []
    open_since: dict[int, tuple[int, float, float]] = {}  # stream -> (entry, units held, money so far)
    columns = (fills.ts, fills.stream, fills.quantity, fills.price, fills.fee, fills.held)
    for ts, index, quantity, price, fee, held in zip(*(c.tolist() for c in columns), strict=True):
        entry, before, money = open_since.get(index, (ts, 0.0, 0.0))
        closes = before != 0 and held * before <= 0
        if not closes:
            open_since[index] = (entry, held, money - quantity * price - fee)
            continue
        closing = fee * abs(before / quantity)
        rows.append((index, entry, ts, 1 if before > 0 else -1, money + before * price - closing))
        open_since.pop(index)
        if held:
            open_since[index] = (ts, held, -held * price - (fee - closing))
    table = list(zip(*rows, strict=True)) if rows else [()] * 5
    stream, entry_ts, exit_ts, side = (np.array(c, np.int64) for c in table[:4])
    return RoundTrips(stream, entry_ts, exit_ts, side, np.array(table[4], np.float64))
