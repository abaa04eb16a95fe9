"""A stream whose events the same process hands over (C7)."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from threading import Condition

from qmtl.core.errors import UserError
from qmtl.core.flow.event import Event
from qmtl.core.graph.ir import Node
from qmtl.runtime.sources_events import read_events
from qmtl.runtime.sources_table import Wanted
from qmtl.runtime.worker.feed import CHUNK, Feed, Now, events_of
from qmtl.runtime.worker.messages import Events

MOST = 65_536  # events that are not committed yet


class PushedFeed(Feed):
    """Events that are pushed by any thread, each with a number; positions are those numbers.

    An event is kept here until it is committed. Who pushes keeps those that are not (`acknowledged`) and, after a
    restart, pushes them again under the same numbers: what was committed before is passed over.
    """

    def __init__(self, node: Node, wanted: Wanted, now: Now, most: int = MOST) -> None:
        """`now`: when an event came that does not say it (`at`)."""
        self._node, self._wanted, self._most, self._now = node, wanted, most, now
        self._waiting: deque[tuple[int, Event]] = deque()  # by number, ascending
        self._last, self._done = 0, 0
        self._changed = Condition()

    @property
    def acknowledged(self) -> int:
        """All events with numbers up to this one are committed; 0: none, or it is not known yet."""
        return self._done

    def push(self, number: int, event: Event, timeout: float | None = None) -> None:
        """Hand an event over; waits while too many are not committed yet, at most `timeout` seconds.

        Numbers begin at 1 and ascend. Raises UserError for another number, for what is no event of this stream, and
        where it waited in vain.
        """
        place = f"event {number} of {self._wanted.key}"
        event = replace(event, at=self._now()) if event.at is None else event
        if not read_events([event], [self._wanted], place)[0].sources[0].event_ns.size:
            raise UserError(
                "an event of another stream", place=place, value=event.stream, cure="push it elsewhere"
            )
        with self._changed:
            if number <= self._last:
                raise UserError("numbers ascend", place=place, value=number, cure=f"go on after {self._last}")
            if not self._changed.wait_for(lambda: len(self._waiting) < self._most, timeout):
                raise UserError(
                    "too many events are not committed",
                    place=place,
                    value=len(self._waiting),
                    cure="start a worker that owns this stream's slot, or push more slowly",
                )
            self._last = number
            if number > self._done:
                self._waiting.append((number, event))

    def wait(self, number: int, timeout: float | None = None) -> bool:
        """Whether the events up to `number` were committed within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._done >= number, timeout)

    def read(self, position: int | str) -> tuple[Events | None, int | str]:
        self.acknowledge(position)  # where nothing is known here, the log does
        with self._changed:
            found = [self._waiting[n] for n in range(min(CHUNK, len(self._waiting)))]
        if not found:
            return None, position
        given = read_events((event for _, event in found), [self._wanted], str(self._wanted.key))[0]
        return events_of(self._node.node_id, given.sources[0]), found[-1][0]

    def acknowledge(self, position: int | str) -> None:
        with self._changed:
            self._done = max(self._done, int(position))
            while self._waiting and self._waiting[0][0] <= self._done:
                self._waiting.popleft()
            self._changed.notify_all()
