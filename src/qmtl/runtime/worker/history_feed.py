"""A stream whose past is known: it enters the log by segments, as they are computed, and then what is live (C10)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from qmtl.core.graph.ir import Node
from qmtl.runtime.worker.feed import Feed, TableFeed
from qmtl.runtime.worker.history import History
from qmtl.runtime.worker.messages import Events, Finished

LIVE = "live "  # positions of what follows the past begin with it
MOST = 1 << 16  # events of a record


class HistoryFeed(TableFeed):
    """A stream whose past is computed beside the slots: rows of it, then what is live."""

    def __init__(
        self, node: Node, history: History, ready: Callable[[], int], live: Feed | None = None
    ) -> None:
        """`ready`: how many segments may be read; `live`: what follows the past, None where that is all."""
        super().__init__(node, history.arrivals)
        self._rows, self._ready, self._live = history.rows(node), ready, live

    def read(self, position: int | str) -> tuple[Events | Finished | None, int | str]:
        """Raises UserError for what is no event, Unavailable."""
        text = str(position)
        self.history = not text.startswith(LIVE)
        if self.history and (self._live is None or int(position) < self._rows[-1]):
            found, self.caught_up = super().read(position), False
            return found
        assert self._live is not None
        event, after = self._live.read(0 if self.history else text.removeprefix(LIVE))
        self.history, self.caught_up = False, self._live.caught_up
        return event, position if after == 0 else f"{LIVE}{after}"

    def acknowledge(self, position: int | str) -> None:
        if self._live is not None and str(position).startswith(LIVE):
            self._live.acknowledge(str(position).removeprefix(LIVE))

    def _stop(self, position: int) -> int:
        segment = bisect_right(self._rows, position) - 1
        return min(self._rows[segment + 1], position + MOST) if segment < self._ready() else position
