"""A stream whose past is known: it enters the log by segments, as they are computed, and then what is live (C10)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from qmtl.core.graph.ir import Node
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.history import History
from qmtl.runtime.worker.messages import Events, Finished

LIVE = "live "  # positions of what follows the past begin with it
MOST = 1 << 16  # events of a record


class HistoryFeed(Feed):
    """A stream whose past is computed beside the slots: positions are rows of it, then those of what is live."""

    def __init__(
        self, node: Node, history: History, ready: Callable[[], int], live: Feed | None = None
    ) -> None:
        """`ready`: how many segments may be read; `live`: what follows the past, None where that is all."""
        self._node_id, self._table, self._rows = node.node_id, history.table(node), history.rows(node)
        self._ready, self._live = ready, live

    def read(self, position: int | str) -> tuple[Events | Finished | None, int | str]:
        """Raises UserError for what is no event, Unavailable."""
        text, count = str(position), self._rows[-1]
        if text.startswith(LIVE):
            return self._of_live(text.removeprefix(LIVE), position)
        at = int(position)
        if at < count:
            self.history, self.caught_up = True, False
            stop = self._stop(at)
            return (self._table.events(slice(at, stop)), stop) if stop > at else (None, at)
        if self._live is not None:
            return self._of_live(0, position)
        return (Finished(self._node_id), count + 1) if at == count else (None, at)

    def acknowledge(self, position: int | str) -> None:
        if self._live is not None and str(position).startswith(LIVE):
            self._live.acknowledge(str(position).removeprefix(LIVE))

    def _of_live(self, at: int | str, position: int | str) -> tuple[Events | Finished | None, int | str]:
        assert self._live is not None
        events, after = self._live.read(at)
        self.history, self.caught_up, self.rejected = False, self._live.caught_up, self._live.rejected
        return events, position if str(after) == str(at) else f"{LIVE}{after}"

    def _stop(self, position: int) -> int:
        """The end of the segment that the row lies in, where that may be read."""
        segment = bisect_right(self._rows, position) - 1
        return min(self._rows[segment + 1], position + MOST) if segment < self._ready() else position
