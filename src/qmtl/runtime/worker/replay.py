"""What a slot has consumed is computed again when it is taken over; it is the only way to start (C6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from qmtl.core.flow.commit import Entry, Position, Slot, Topic
from qmtl.ports.log import Log
from qmtl.runtime.worker.batch import HISTORY
from qmtl.runtime.worker.keeping import Compute
from qmtl.runtime.worker.messages import results_digest
from qmtl.runtime.worker.slot import News, SlotState


@dataclass
class Repeated:
    """How many records were applied, and the digest of the results of a span, if all of it was."""

    entries: int = 0
    outputs: bytes | None = None


@dataclass(frozen=True)
class Replay:
    """Nothing of it is told again; the results of one step are compared with what it committed."""

    log: Log
    compute: Compute
    poll_seconds: float

    async def run(self, state: SlotState, at: Position, until: Position, span: tuple[int, int]) -> Repeated:
        """Apply the records ``[at, until)`` to a state; those of `span` in one step, as they were."""
        whole = at <= span[0] < span[1] <= until
        cuts = sorted({at, until, *(map(Position, span) if whole else ())})
        found = Repeated()
        for first, last in pairwise(cuts):
            if whole and (first, last) == span:
                entries = [one async for some in self._pieces(state.slot, first, last) for one in some]
                news = await self.compute(partial(applied, state, entries))
                found.outputs = results_digest(news.results)
                found.entries += len(entries)
                continue
            async for some in self._pieces(state.slot, first, last):
                await self.compute(partial(applied, state, some))
                found.entries += len(some)
        return found

    async def _pieces(self, slot: Slot, at: Position, until: Position) -> AsyncIterator[list[Entry]]:
        """The records before `until`, as they are read."""
        while at < until:
            batch = await self.log.read(Topic.SLOTS, slot, at)
            entries = [entry for entry in batch.entries if entry.position < until]
            if entries:
                yield entries
            if batch.next == at:  # a reader may be shown what is committed a moment later
                await asyncio.sleep(self.poll_seconds)
            at = batch.next


def applied(state: SlotState, entries: Iterable[Entry]) -> News:
    """What comes of records of the slot's partition."""
    for entry in entries:
        state.apply(entry.record.value, entry.position, entry.record.key == HISTORY)
    return state.news()
