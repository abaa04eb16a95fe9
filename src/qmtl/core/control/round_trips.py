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
    from qmtl.core.control.portfolio_kernels import NOTHING, trips

    count, streams = len(fills), int(fills.stream.max(initial=-1)) + 1
    when, profit = np.empty((4, count), np.int64), np.empty(count)
    ended = trips(
        np.stack([fills.ts, fills.stream]),
        np.stack([fills.quantity, fills.price, fills.fee, fills.held]),
        np.full(streams, NOTHING),
        np.zeros(streams),
        np.zeros(streams),
        when,
        profit,
    )
    stream, entry, left, side = when[:, :ended].copy()
    return RoundTrips(stream, entry, left, side, profit[:ended].copy())
