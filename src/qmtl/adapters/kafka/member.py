"""A member of the log on Kafka: what it was given, has taken over, and commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import ParamSpec, TypeVar

from confluent_kafka import TopicPartition

from qmtl.adapters.kafka.faults import unavailable
from qmtl.adapters.kafka.membership import Membership
from qmtl.adapters.kafka.owner import Consumed, OwnerThread
from qmtl.adapters.kafka.reading import Reading
from qmtl.core.errors import Fenced, QmtlError, Unavailable, UserError
from qmtl.core.flow.commit import (
    STEP_KEY,
    Epoch,
    Generation,
    Position,
    Slot,
    Step,
    StepRecord,
    Taken,
    Topic,
)
from qmtl.ports.log import Point, Polled

P = ParamSpec("P")
T = TypeVar("T")

# Told of every Point of a commit, on the thread that commits; for faults handed in: what it raises, the commit raises.
At = Callable[[Point, Slot], None]

TAIL = 64  # positions from the end in which the last step record is looked for first
WIDER = 16  # times as many where it is not there
LOOK_SECONDS = 0.02


def nowhere(point: Point, slot: Slot) -> None:
    """No fault at any point."""


@dataclass
class Owned:
    """A slot that was taken over."""

    owner: OwnerThread
    epoch: Epoch


class KafkaMember:
    """One thread polls; each slot's commits run in a thread of its own."""

    def __init__(self, reading: Reading, name: str, at: At) -> None:
        self._reading, self.name, self._at = reading, name, at
        self._polling = ThreadPoolExecutor(1, f"{name}-poll")
        self._polled: asyncio.Future[Polled] | None = None  # a poll that is going on
        self._outdated: set[Slot] = set()  # taken since that poll began
        self._assigned: frozenset[Slot] = frozenset()
        self._owned: dict[Slot, Owned] = {}
        self._epochs: dict[Slot, Epoch] = {}  # the last one of every slot that this member ever took
        self._closed = False

    async def join(self) -> None:
        self._membership = await self._on_polling_thread(Membership, self._reading.cluster)

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        """Where it is cancelled, the next one returns what it brings."""
        self._check_open()
        if self._polled is None:
            idle = self._assigned - self._owned.keys()
            self._polled = self._on_polling_thread(self._turn, timeout, limit, idle)
        try:
            with unavailable(f"member {self.name} polls"):
                polled = await asyncio.shield(self._polled)
        except QmtlError:
            self._polled = None
            raise
        self._polled = None
        return self._told(polled)

    async def take(self, slot: Slot) -> Taken:
        self._check_open()
        if slot not in self._assigned:
            self._reading.check_slot(slot)
            raise Fenced(f"slot {slot} is not assigned to member {self.name}; poll")
        self._drop(slot)
        owner = OwnerThread(
            self._reading.cluster, self._reading.cluster.transactional_id(slot), self._reading.timeout
        )
        try:
            await owner.open()
            step, end = await self._last_step(slot)
            position = step.position if step else Position(0)
            if not await self._on_polling_thread(self._membership.start, slot, position):
                raise Fenced(f"slot {slot} was lost by member {self.name} while it took it over; poll")
        except BaseException:
            owner.drop()
            raise
        if self._polled is not None:
            self._outdated.add(slot)
        epoch = Epoch(max(step.epoch if step else 0, self._epochs.get(slot, 0)) + 1)
        self._epochs[slot] = epoch
        self._owned[slot] = Owned(owner, epoch)
        return Taken(slot, epoch, step, end)

    async def commit(self, step: Step, generation: Generation) -> None:
        self._check_open()
        owned = self._owned.get(step.slot)
        if owned is None or owned.epoch != step.epoch:
            self._drop(step.slot)
            raise Fenced(f"slot {step.slot} is not taken by member {self.name} under epoch {step.epoch}")
        for slot, _ in step.onward:
            self._reading.check_slot(slot)
        try:
            await self._transaction(step, generation, owned.owner)
        except (Unavailable, UserError):
            raise  # nothing was written, and the owner is as it was
        except BaseException:
            self._drop(step.slot)
            raise

    async def heartbeat(self) -> None:
        """The broker hears from librdkafka's own thread; here the group's changes are served meanwhile, which
        other members wait for."""
        self._check_open()
        if self._polled is None:
            with unavailable(f"member {self.name} polls"):
                await self._on_polling_thread(self._membership.serve, 0.0, 0)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        dropped = [owned.owner.drop() for owned in self._owned.values()]
        self._owned.clear()
        await self._on_polling_thread(self._membership.close)
        self._polling.shutdown(wait=False)
        for each in dropped:
            await asyncio.wrap_future(each)

    def _turn(self, timeout: float, limit: int, idle: Iterable[Slot]) -> Polled:
        for slot in idle:
            self._membership.stop(slot)
        return self._membership.turn(timeout, limit)

    def _told(self, polled: Polled) -> Polled:
        self._assigned = (self._assigned - polled.lost) | polled.assigned
        for slot in polled.lost:
            self._drop(slot)
        wanted = self._owned.keys() - self._outdated
        self._outdated.clear()
        return replace(
            polled, batches={slot: polled.batches[slot] for slot in polled.batches if slot in wanted}
        )

    async def _last_step(self, slot: Slot) -> tuple[StepRecord | None, Position]:
        """Every step ends with its record, so it is looked for from the end of the commit log on."""
        end = await self._settled(slot)
        reach = TAIL
        while True:
            start = Position(max(0, end - reach))
            found = [entry.record async for entry in self._reading.entries(Topic.COMMITS, slot, start, end)]
            steps = [record for record in found if record.key == STEP_KEY]
            if steps or start == 0:
                return (StepRecord.of(steps[-1]) if steps else None), end
            reach *= WIDER

    async def _settled(self, slot: Slot) -> Position:
        """The end of the slot's commit log. The predecessor's last transaction has ended, and nobody else
        writes there (C5); so one that is still open is a fault of the log, which is waited for (C4)."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._reading.timeout
        while True:
            end = await self._reading.end(Topic.COMMITS, slot)
            if end.visible >= end.written:
                return end.visible
            if clock() > until:
                raise Unavailable(f"slot {slot}: a transaction hangs in its commit log at {end.visible}")
            await asyncio.sleep(LOOK_SECONDS)

    async def _transaction(self, step: Step, generation: Generation, owner: OwnerThread) -> None:
        if not isinstance(generation.token, bytes):
            raise Fenced(f"slot {step.slot}: polled between two generations of the group; poll")
        cluster = self._reading.cluster
        out = {(cluster.topic(topic), slot): records for (topic, slot), records in step.writes().items()}
        position = TopicPartition(cluster.topic(Topic.SLOTS), step.slot, step.position)
        consumed = Consumed(position, generation.token)
        await owner.commit(out, consumed, lambda point: self._at(point, step.slot))

    def _drop(self, slot: Slot) -> None:
        owned = self._owned.pop(slot, None)
        if owned is not None:
            owned.owner.drop()

    def _on_polling_thread(
        self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        asked = partial(what, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._polling, asked)

    def _check_open(self) -> None:
        if self._closed:
            raise Fenced(f"member {self.name} has left; join again")
