"""A member of the log in memory: what it was given, has taken, and commits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from qmtl.adapters.memory.group import Group
from qmtl.adapters.memory.partition import State
from qmtl.adapters.memory.store import Store
from qmtl.core.errors import Fenced, Unavailable, Unknown
from qmtl.core.flow.commit import (
    STEP_KEY,
    Batch,
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

# Asked at every Point of a commit; may take its time there, and answers whether it fails: at BEGIN with
# Unavailable, at OPEN with Unknown and a transaction left hanging, at DONE with Unknown although it is visible.
Cut = Callable[[Point, Slot], Awaitable[bool]]


async def nowhere(point: Point, slot: Slot) -> bool:
    """No fault at any point."""
    return False


@dataclass
class Owned:
    """A slot that was taken: its owner's fence and epoch, and where the next batch begins."""

    fence: int
    epoch: Epoch
    next: Position


class MemoryMember:
    def __init__(self, store: Store, group: Group, name: str, cut: Cut) -> None:
        self._store, self._group, self._cut, self.name = store, group, cut, name
        self._id = group.join()
        self._assigned: frozenset[Slot] = frozenset()
        self._lost_untold: frozenset[Slot] = frozenset()
        self._owned: dict[Slot, Owned] = {}
        self._epochs: dict[Slot, Epoch] = {}  # the last one of every slot that this member ever took
        self._turns = 0
        self._closed = False

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        self._check_open()
        until = asyncio.get_running_loop().time() + timeout
        while True:
            polled = self._look(limit)
            left = until - asyncio.get_running_loop().time()
            if polled.assigned or polled.lost or polled.batches or left <= 0:
                return polled
            await self._store.changed.wait(min(left, self._group.lease_seconds / 3))

    def _look(self, limit: int) -> Polled:
        self._renew()
        before, mine = self._assigned, self._group.turn(self._id)
        lost = (before - mine) | self._lost_untold
        self._assigned, self._lost_untold = mine, frozenset()
        for slot in lost:
            self._owned.pop(slot, None)
        if mine != before:
            self._store.changed.tell()
        return Polled(mine - before, lost, self._batches(limit), Generation(self._group.generation))

    def _batches(self, limit: int) -> dict[Slot, Batch]:
        """Slots take turns in being first, so that a full one does not starve the others."""
        slots = sorted(self._owned)
        if not slots or limit <= 0:
            return {}
        first = self._turns % len(slots)
        self._turns += 1
        found: dict[Slot, Batch] = {}
        for slot in slots[first:] + slots[:first]:
            if limit <= 0:
                break
            batch = self._store.partition(Topic.SLOTS, slot).read(self._owned[slot].next, limit)
            self._owned[slot].next = batch.next
            if batch.entries:
                found[slot] = batch
                limit -= len(batch.entries)
        return found

    async def take(self, slot: Slot) -> Taken:
        self._check_open()
        if slot not in self._assigned:
            raise Fenced(f"slot {slot} is not assigned to member {self.name}; poll")
        fence = self._store.fence(slot)
        step, end = self._last_step(slot)
        epoch = Epoch(max(step.epoch if step else 0, self._epochs.get(slot, 0)) + 1)
        self._epochs[slot] = epoch
        self._owned[slot] = Owned(fence, epoch, step.position if step else Position(0))
        return Taken(slot, epoch, step, end)

    def _last_step(self, slot: Slot) -> tuple[StepRecord | None, Position]:
        partition = self._store.partition(Topic.COMMITS, slot)
        end = partition.end().visible
        found = [entry.record for entry in partition.read(Position(0), end).entries]
        steps = [record for record in found if record.key == STEP_KEY]
        return (StepRecord.of(steps[-1]) if steps else None), end

    async def commit(self, step: Step, generation: Generation) -> None:
        self._check_open()
        owned = self._owned.get(step.slot)
        if owned is None or owned.epoch != step.epoch:
            self._owned.pop(step.slot, None)
            raise Fenced(f"slot {step.slot} is not taken by member {self.name} under epoch {step.epoch}")
        if await self._cut(Point.BEGIN, step.slot):
            raise Unavailable(f"slot {step.slot}: the log is away; nothing was written")
        self._owned.pop(step.slot, None)  # and given back where all is well: any other end is one of C4
        await self._transaction(step, generation, owned)
        if step.slot in self._assigned:
            self._owned[step.slot] = owned

    async def _transaction(self, step: Step, generation: Generation, owned: Owned) -> None:
        store, slot = self._store, step.slot
        if store.is_fenced(slot, owned.fence):
            raise Fenced(f"slot {slot} was taken by another owner")
        transaction = store.begin(slot, step.writes())
        if await self._cut(Point.OPEN, slot):
            raise Unknown(f"slot {slot}: the connection broke before the answer")
        if store.has_ended(transaction):
            raise Fenced(f"slot {slot} was taken by another owner, or the transaction took too long")
        if not self._group.is_current(self._id, generation.number):
            store.end(transaction, State.ABORTED)
            raise Fenced(f"slot {slot}: generation {generation.number} of the group is over; poll")
        store.end(transaction, State.COMMITTED)
        if await self._cut(Point.DONE, slot):
            raise Unknown(f"slot {slot}: the connection broke before the answer")

    async def heartbeat(self) -> None:
        self._check_open()
        self._group.renew(self._id)

    def _renew(self) -> None:
        """Who has expired has lost everything, and joins again."""
        if not self._group.renew(self._id):
            self._id = self._group.join()
            self._lost_untold |= self._assigned
            self._assigned = frozenset()
            self._owned.clear()

    async def close(self) -> None:
        self._closed = True
        self._owned.clear()
        self._group.leave(self._id)
        self._store.changed.tell()

    def _check_open(self) -> None:
        if self._closed:
            raise Fenced(f"member {self.name} has left; join again")
