"""What the compiled driver is told of arrivals that it cannot judge itself: ticks, and revisions of bars.

Ticks that only append move their source forward: they cannot be late, repeated or revised (E2, E8), so they are stored
ahead, a stretch at a time, and the driver only moves the clocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qmtl.core.flow.entry import Fate
from qmtl.core.flow.feed import EVENT, Arrivals, Source, identity_of
from qmtl.core.flow.layout import S_PLAIN
from qmtl.core.flow.timeline import NEVER
from qmtl.core.graph.ir import TickIdentity

Flags = NDArray[np.bool_]
APPENDS, UNLIKE = 1, 2
_NOTHING = np.zeros(0, np.uint8)


def tables_of(batch: Arrivals) -> NDArray[np.int64]:
    """Where the values of each source stand, or those of all: (address, width)."""
    tables = (batch.flat,) if batch.flat is not None else batch.values
    where = [(one.__array_interface__["data"][0], one.shape[1]) for one in tables]
    return np.array(where, np.int64).reshape(-1, 2)


class Untold:
    """Nothing to tell: bars without revisions."""

    known = _NOTHING

    def store(self, start: int) -> None:
        """Store the ticks from `start` to the next arrival that is a step of its own."""

    def note(self, stop: int) -> None:
        """The driver got to `stop`: remember the revisions of the bars it stored."""


UNTOLD = Untold()


def told_of(sources: Sequence[Source], batch: Arrivals, start: int, stop: int) -> Untold:
    """What there is to tell of arrivals ``[start, stop)``."""
    revised = [
        n for n, s in enumerate(sources) if s.bars and batch.revision and batch.revision[n] is not None
    ]
    ticks = any(source.ticks for source in sources)
    for number in revised:
        sources[number].fields[S_PLAIN] = 0  # the caller of the driver keeps their revisions
    return _Told(sources, batch, start, stop, revised, ticks) if revised or ticks else UNTOLD


class _Told(Untold):
    def __init__(
        self,
        sources: Sequence[Source],
        batch: Arrivals,
        start: int,
        stop: int,
        revised: list[int],
        ticks: bool,
    ) -> None:
        self._sources, self._batch, self._stop, self._revised = sources, batch, stop, revised
        self._stored = self._noted = start
        self.known = self._judged(start) if ticks else _NOTHING

    def _judged(self, start: int) -> NDArray[np.uint8]:
        batch, stop = self._batch, self._stop
        known = np.zeros(len(batch.kind), np.uint8)
        for number, source in enumerate(self._sources):
            mine = start + np.flatnonzero(
                (batch.source[start:stop] == number) & (batch.kind[start:stop] == EVENT)
            )
            if source.ticks and len(mine):
                known[mine] = np.where(_appends(batch, source, number, mine), APPENDS, UNLIKE)
        return known

    def store(self, start: int) -> None:
        if not len(self.known) or start < self._stored:
            return
        batch = self._batch
        alone = (batch.kind[start : self._stop] != EVENT) | (self.known[start : self._stop] == UNLIKE)
        end = start + int(np.argmax(alone)) if alone.any() else self._stop
        for number, source in enumerate(self._sources):
            if source.ticks:
                _store(batch, source, number, start + np.flatnonzero(batch.source[start:end] == number))
        self._stored = max(end, start + 1)

    def note(self, stop: int) -> None:
        start, self._noted = self._noted, stop + 1
        for number in self._revised:
            batch = self._batch
            mine = start + np.flatnonzero(batch.source[start:stop] == number)
            revisions = batch.revision[number][batch.row[mine]].tolist()
            for entry in self._sources[number].bars:
                entry.revisions.update(zip(batch.event_ns[mine].tolist(), revisions, strict=True))


def _store(batch: Arrivals, source: Source, number: int, at: NDArray[np.int64]) -> None:
    revisions = batch.revision[number] if batch.revision else None
    for entry in source.ticks:
        for n, position in enumerate(at.tolist()):
            row, ts = batch.row[position], int(batch.event_ns[position])
            identity, order = identity_of(entry, batch, number, position, ts, source.position + n)
            revision = None if revisions is None else int(revisions[row])
            entry.store(ts, identity, order, batch.values[number][row][entry.take], revision)
            entry.count(Fate.USED)
    source.position += len(at)


def _appends(batch: Arrivals, source: Source, number: int, mine: NDArray[np.int64]) -> Flags:
    """Which ticks only append; moves the source's `top` past them."""
    if source.idle or source.finished:
        return np.zeros(len(mine), np.bool_)
    ts = batch.event_ns[mine]
    sane = (ts <= batch.available_ns[mine] + source.skew) & (ts >= source.origin)
    point = np.where(sane, ts, NEVER)
    before = np.maximum.accumulate(np.concatenate([[source.top], point[:-1]]))
    by_time = any(e.settings.identity is TickIdentity.EVENT_TS for e in source.ticks)
    ahead = point > before if by_time else (point >= before) & _fresh(batch, source, number, mine, ts)
    source.top = max(source.top, int(point.max(initial=NEVER)))
    found: Flags = ahead & sane
    return found


def _fresh(
    batch: Arrivals, source: Source, number: int, at: NDArray[np.int64], ts: NDArray[np.int64]
) -> Flags:
    """Ticks of a new identity, after all earlier ones in (ts, id)."""
    ids = batch.event_id[number]
    if ids is None or all(e.settings.identity is TickIdentity.POSITION for e in source.ticks):
        return np.ones(len(at), np.bool_)
    result = np.zeros(len(at), np.bool_)
    seen: set[object] = set()
    last = max((e.keys[-1] for e in source.ticks if e.keys), default=(NEVER, None))
    given = [ids[r] for r in batch.row[at]]
    plain = [i.item() if isinstance(i, np.generic) else i for i in given]
    for n, (time, identity) in enumerate(zip(ts.tolist(), plain, strict=True)):
        ordered = time > last[0] or (time == last[0] and last[1] is not None and identity > last[1])
        known = identity in seen or any(identity in e.known or identity in e.held for e in source.ticks)
        result[n] = ordered and not known
        seen.add(identity)
        last = max(last, (time, identity)) if last[1] is not None else (time, identity)
    return result
