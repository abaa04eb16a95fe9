"""What brings the events of streams in: each with a position from which it can go on (C7)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from qmtl.core.graph.ir import Node
from qmtl.runtime.arrivals import ArrivalKind, Arrivals, SourceKey
from qmtl.runtime.worker.messages import Events, Finished

CHUNK = 4096  # events of a record


class Feed(Protocol):
    """The events of one stream in their order of arrival; positions are its own."""

    def read(self, position: int) -> tuple[Events | Finished | None, int]:
        """What follows `position` (0: the beginning), and the position after it; None where there is nothing now."""
        ...


class TableFeed:
    """A stream of arrivals that were loaded from files: positions are rows, and after the last one it is finished."""

    def __init__(self, node: Node, arrivals: Arrivals, chunk: int = CHUNK) -> None:
        number = arrivals.sources.index(SourceKey(node.stream or "", node.interval_ns))
        mine = (arrivals.source == number) & (arrivals.kind == ArrivalKind.EVENT)
        rows = arrivals.row[mine]
        names = list(arrivals.fields[number])
        self._node_id, self._chunk = node.node_id, chunk
        self._event_ns, self._available_ns = arrivals.event_ns[mine], arrivals.available_ns[mine]
        self._values = arrivals.values[number][np.ix_(rows, [names.index(name) for name in node.outputs])]
        ids, revisions = arrivals.event_id[number], arrivals.revision[number] if arrivals.revision else None
        self._ids = None if ids is None else ids[rows]
        self._revisions = None if revisions is None else revisions[rows]

    def read(self, position: int) -> tuple[Events | Finished | None, int]:
        count = len(self._event_ns)
        if position > count:
            return None, position
        if position == count:
            return Finished(self._node_id), position + 1
        part = slice(position, min(position + self._chunk, count))
        events = Events(
            self._node_id,
            self._event_ns[part].tobytes(),
            self._available_ns[part].tobytes(),
            np.ascontiguousarray(self._values[part]).tobytes(),
            None if self._ids is None else self._ids[part].tolist(),
            None if self._revisions is None else self._revisions[part].astype(np.int64).tobytes(),
        )
        return events, part.stop
