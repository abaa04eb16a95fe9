"""The loop of a worker: poll, take over, advance, commit (C2–C6).

A slot's state is built from its partition and nothing else. After a fault whose outcome is not known, the state is
dropped with it, and the slot taken again where it is still this member's: taking over is the only way to start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import msgspec

from qmtl.core.errors import Fenced, QmtlError, Unavailable, Unknown
from qmtl.core.flow.commit import Batch, Epoch, Generation, Position, Record, Slot, Step, Topic
from qmtl.ports.log import Log, Member
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.messages import Plan, encoded
from qmtl.runtime.worker.slot import News, SlotState
from qmtl.runtime.worker.spread import Spread

BATCH = 64  # records of a poll
POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 1.0


@dataclass
class Owned:
    """A slot that this worker owns: its plan, where its input is consumed, and where its feeds are."""

    state: SlotState
    epoch: Epoch
    position: Position
    fed: dict[str, int]  # by stream
    drained: bool = False  # its feeds had nothing the last time


@dataclass
class Counts:
    """What a worker has done. `fenced`: steps refused because somebody else owned the slot by then."""

    steps: int = 0
    results: int = 0
    replayed: int = 0
    taken: int = 0
    fenced: int = 0
    unknown: int = 0
    unavailable: int = 0
    slots: set[int] = field(default_factory=set)


class Worker:
    """Runs the plans of the slots that the group gives it."""

    def __init__(
        self,
        log: Log,
        spread: Spread,
        feeds: Mapping[str, Feed],
        name: str,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`feeds`: by stream (node id); each is read only by the owner of the stream's slot.

        `poll_seconds`: how long a worker that has nothing to do waits for news.
        """
        self._poll_seconds = poll_seconds
        self._log, self._spread, self._feeds, self._name = log, spread, feeds, name
        self._active = set(spread.slots())
        self._owned: dict[Slot, Owned] = {}
        self._wanted: set[Slot] = set()  # assigned, and to be taken
        self.counts = Counts()

    async def run(self, stop: Callable[[bool], bool]) -> None:
        """Until `stop` says so; it is asked after every poll whether this worker had nothing to do."""
        member = await self._log.member(self._name)
        try:
            await self._work(member, stop)
        except* QmtlError as found:
            raise found.exceptions[0] from None
        finally:
            await member.close()

    async def _work(self, member: Member, stop: Callable[[bool], bool]) -> None:
        async with asyncio.TaskGroup() as group:
            beat = group.create_task(_beat(member))
            try:
                while not stop(not await self._round(member)):
                    pass
            finally:
                beat.cancel()

    async def _round(self, member: Member) -> bool:
        """One poll and what follows from it; whether there was anything to do."""
        busy = any(not owned.drained for owned in self._owned.values())
        try:
            polled = await member.poll(0.0 if busy else self._poll_seconds, BATCH)
        except (
            Unavailable
        ):  # the servers are away; what this worker holds is fenced if it was given to others
            self.counts.unavailable += 1
            await asyncio.sleep(self._poll_seconds)
            return True
        for slot in polled.lost:
            self._drop(slot)
            self._wanted.discard(slot)
        self._wanted |= polled.assigned
        taking = sorted(self._wanted)
        for slot in taking:
            await self._take(member, slot)
        batches = {slot: batch for slot, batch in polled.batches.items() if slot not in taking}
        for slot, batch in batches.items():  # what was polled before a slot was taken is delivered again
            await self._guarded(slot, self._advance(member, slot, batch, polled.generation))
        fed = False
        for slot in [slot for slot in self._owned if slot not in batches]:
            fed = await self._guarded(slot, self._feed(member, slot, polled.generation)) or fed
        return bool(taking or polled.batches or polled.lost or fed)

    def _drop(self, slot: Slot) -> None:
        self._owned.pop(slot, None)

    async def _guarded(self, slot: Slot, step: Awaitable[bool]) -> bool:
        """A step; after a fault the state goes, and the slot is to be taken again (C4)."""
        try:
            return await step
        except Fenced:
            self.counts.fenced += 1
        except Unknown:
            self.counts.unknown += 1
        except Unavailable:
            self.counts.unavailable += 1
        self._drop(slot)
        self._wanted.add(slot)
        return True

    async def _take(self, member: Member, slot: Slot) -> None:
        try:
            taken = await member.take(slot)
        except (Fenced, Unavailable):
            self._wanted.discard(slot)  # assigned to another by now, as the next poll will tell
            return
        state = SlotState(slot, self._spread) if slot in self._active else None
        position, fed = Position(0), dict[str, int]()
        if taken.step is not None:
            fed = msgspec.msgpack.decode(taken.step.body, type=dict[str, int]) if taken.step.body else {}
            if state is not None:
                await self._replay(state, taken.step.position)
            position = taken.step.position
        self._wanted.discard(slot)
        self.counts.taken += 1
        self.counts.slots.add(int(slot))
        if state is not None:
            self._owned[slot] = Owned(state, taken.epoch, position, fed)

    async def _replay(self, state: SlotState, until: Position) -> None:
        """What has been consumed and committed: it is computed again, and not told again (C6)."""
        at = Position(0)
        while at < until:
            batch = await self._log.read(Topic.SLOTS, state.slot, at)
            values = [entry.record.value for entry in batch.entries if entry.position < until]
            if not values:
                break
            await asyncio.to_thread(partial(_applied, state, values))
            self.counts.replayed += len(values)
            at = batch.next

    async def _advance(self, member: Member, slot: Slot, batch: Batch, generation: Generation) -> bool:
        owned = self._owned.get(slot)
        if owned is None:
            return False
        values = [entry.record.value for entry in batch.entries]
        news = await asyncio.to_thread(partial(_applied, owned.state, values))
        step = Step(slot, owned.epoch, batch.next, news.results, news.onward, body=encoded(owned.fed))
        await member.commit(step, generation)
        owned.position = batch.next
        self.counts.steps += 1
        self.counts.results += len(news.results)
        return True

    async def _feed(self, member: Member, slot: Slot, generation: Generation) -> bool:
        """Bring the next events of the slot's streams in: they and their positions commit together (C7)."""
        owned = self._owned.get(slot)
        if owned is None or owned.drained:
            return False
        fed, onward = dict(owned.fed), list[tuple[Slot, Record]]()
        if not owned.fed:
            onward.append((slot, Record(b"plan", encoded([Plan(self._spread.digest)]))))
        for node in self._spread.streams(slot):
            key = node.node_id
            if key not in self._feeds:
                continue
            message, fed[key] = self._feeds[key].read(fed.get(key, 0))
            if message is not None:
                record = Record(key.encode(), encoded([message]))
                own = () if node.interval_ns is None else (int(slot),)
                others = self._spread.readers.get(key, ()) if node.interval_ns is None else ()
                onward += [(Slot(to), record) for to in (*own, *others)]
        if fed == owned.fed:
            owned.drained = True
            return False
        step = Step(slot, owned.epoch, owned.position, onward=tuple(onward), body=encoded(fed))
        await member.commit(step, generation)
        owned.fed = fed
        return True


def _applied(state: SlotState, values: list[bytes]) -> News:
    for value in values:
        state.apply(value)
    return state.news()


async def _beat(member: Member) -> None:
    """Renews while a step takes long."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        with suppress(Unavailable):  # the next poll tells
            await member.heartbeat()
