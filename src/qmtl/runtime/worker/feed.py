"""What brings the events of streams in: each with a position from which it can go on (C7)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np

from qmtl.core.flow.catalog import Reading
from qmtl.core.graph.ir import Node
from qmtl.runtime.arrivals import ArrivalKind, Arrivals, Source, SourceKey
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.worker.messages import Clock, Events, Finished

CHUNK = 4096  # events of a record
SECOND = 1_000_000_000

Now = Callable[[], int]  # ns since 1970


class Feed(ABC):
    """The events of one stream in their order of arrival.

    Positions are its own: a number, or a text, by which a process that knows nothing else can go on. The first is 0.
    """

    caught_up = True  # whether nothing was left to read the last time: a stream is not idle otherwise (E11)
    rejected = 0  # how many records that were none of events it has passed over
    history = False  # whether what was read last is of a past that is computed beside the slots (C10)

    @abstractmethod
    def read(self, position: int | str) -> tuple[Events | Finished | None, int | str]:
        """What follows `position`, and the position after it; None where there is nothing now. Does not wait.

        Raises UserError for what is no event.
        """

    def acknowledge(self, position: int | str) -> None:  # noqa: B027
        """All that came before `position` is committed."""


class Pace:
    """The time of a replay: it begins with the first event that is asked for, and goes `speed` times as fast."""

    def __init__(self, speed: float, watch: Callable[[], float] = stopwatch) -> None:
        """`watch`: a stopwatch in seconds."""
        self._speed, self._watch = speed, watch
        self._begun: tuple[int, float] | None = None

    def now(self) -> int:
        """Before the first event: 0."""
        if self._begun is None:
            return 0
        first, since = self._begun
        return first + int((self._watch() - since) * self._speed * SECOND)

    def reached(self, available_ns: int) -> int:
        """The time now; the first one that is asked for is reached at once."""
        if self._begun is None:
            self._begun = available_ns, self._watch()
        return self.now()


class TableFeed(Feed):
    """A stream of arrivals that were loaded from files: positions are rows, and after the last one it is finished."""

    def __init__(self, node: Node, arrivals: Arrivals, chunk: int = CHUNK, pace: Pace | None = None) -> None:
        """`pace`: every event comes when that reaches the time at which it was known; None: as fast as may be."""
        number = arrivals.sources.index(SourceKey(node.stream or "", node.interval_ns))
        mine = (arrivals.source == number) & (arrivals.kind == ArrivalKind.EVENT)
        rows = arrivals.row[mine]
        names = list(arrivals.fields[number])
        self._node_id, self._chunk, self._pace = node.node_id, chunk, pace
        self._event_ns, self._available_ns = arrivals.event_ns[mine], arrivals.available_ns[mine]
        self._known = np.maximum.accumulate(self._available_ns)
        self._values = arrivals.values[number][np.ix_(rows, [names.index(name) for name in node.outputs])]
        ids, revisions = arrivals.event_id[number], arrivals.revision[number] if arrivals.revision else None
        self._ids = None if ids is None else ids[rows]
        self._revisions = None if revisions is None else revisions[rows]

    def read(self, position: int | str) -> tuple[Events | Finished | None, int | str]:
        position, count = int(position), len(self._event_ns)
        if position > count:
            return None, position
        if position == count:
            return Finished(self._node_id), position + 1
        stop = min(position + self._chunk, self._come(position))
        return (self.events(slice(position, stop)), stop) if stop > position else (None, position)

    def events(self, part: slice) -> Events:
        """Some rows."""
        return Events(
            self._node_id,
            self._event_ns[part].tobytes(),
            self._available_ns[part].tobytes(),
            np.ascontiguousarray(self._values[part]).tobytes(),
            None if self._ids is None else self._ids[part].tolist(),
            None if self._revisions is None else self._revisions[part].astype(np.int64).tobytes(),
        )

    def _come(self, position: int) -> int:
        """How many rows are there by now."""
        if self._pace is None:
            return len(self._known)
        return int(np.searchsorted(self._known, self._pace.reached(int(self._known[position])), "right"))


def came(reading: Reading, now: Now) -> int | None:
    """When events came (ns) that are read now; None where a column says it."""
    return None if "at" in reading.columns else now()


def events_of(node_id: str, source: Source, now: int | None = None) -> Events:
    """The events of a table in the order of its rows; `now` (ns): when they came, where it does not say so itself."""
    rows = slice(None) if source.order is None else np.argsort(source.order)
    count = len(source.event_ns)
    available = source.available_ns[rows] if now is None else np.full(count, now)
    return Events(
        node_id,
        source.event_ns[rows].tobytes(),
        available.tobytes(),
        np.ascontiguousarray(source.values[rows]).tobytes(),
        None if source.event_id is None else source.event_id[rows].tolist(),
        None if source.revision is None else source.revision[rows].astype(np.int64).tobytes(),
    )


class Silence:
    """Which streams of a slot are to be told of the time, because they have been silent so long (E11)."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._heard: dict[str, int] = {}  # since when each is silent
        self._told: set[str] = set()

    def of(self, node: Node, came: bool, caught_up: bool) -> Clock | None:
        """After a stream was asked for events: whether any came, and whether there were no more of them."""
        timeout = None if node.event_time is None else node.event_time.idle_timeout_ns
        if timeout is None:
            return None
        now, key = self._now(), node.node_id
        if came or not caught_up or key not in self._heard:
            self._heard[key] = now
            self._told.discard(key)
        elif key not in self._told and now - self._heard[key] >= timeout:
            self._told.add(key)
            return Clock(key, now)
        return None
