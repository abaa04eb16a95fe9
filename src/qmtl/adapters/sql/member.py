"""A member of the log in SQL. The epoch in the slot's row is checked by the commit itself, so a generation has nothing
to add: it says only how often this member's slots have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from qmtl.adapters.sql import commit, membership, reading
from qmtl.adapters.sql.dialect import Dialect
from qmtl.adapters.sql.session import Session
from qmtl.adapters.sql.wake import Wake
from qmtl.core.errors import Fault, Fenced, Unavailable, Unknown
from qmtl.core.flow.balance import MemberId
from qmtl.core.flow.commit import Batch, Epoch, Generation, Position, Slot, Step, Taken, Topic
from qmtl.ports.log import Polled

Found = TypeVar("Found")


@dataclass
class Owned:
    """A slot that was taken: its epoch, and where the next batch begins."""

    epoch: Epoch
    next: Position


class SqlMember:
    def __init__(
        self,
        session: Session,
        dialect: Dialect,
        ids: commit.PartitionIds,
        wake: Wake,
        member: MemberId,
        name: str,
        *,
        renew_seconds: float,
        at: commit.At,
    ) -> None:
        self._session, self._dialect, self._ids, self._wake, self._at = session, dialect, ids, wake, at
        self._id, self._name, self._renew_seconds = member, name, renew_seconds
        self._assigned: frozenset[Slot] = frozenset()
        self._new = self._lost = self._assigned  # not told yet
        self._owned: dict[Slot, Owned] = {}
        self._turn_due = 0.0  # on the loop's clock
        self._generation = self._turns = self._members_heard = 0
        self._closed = False

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        self._check_open()
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            heard = self._wake.heard
            await self._turn()
            batches = await self._batches(limit)
            left = until - loop.time()
            if self._new or self._lost or batches or left <= 0:
                break
            await self._wake.listen()
            await self._wake.wait(heard, min(left, self._dialect.look_seconds))
        new, self._new = self._new, frozenset()
        lost, self._lost = self._lost, frozenset()
        return Polled(new, lost, batches, Generation(self._generation))

    async def _turn(self) -> None:
        """What it changes is told by the next poll that ends well."""
        now, heard = asyncio.get_running_loop().time(), self._wake.members
        if now < self._turn_due and heard == self._members_heard:
            return
        turned = await self._run(lambda each: membership.turn(each, self._dialect, self._id, self._name))
        self._turn_due, self._members_heard = now + self._renew_seconds, heard
        kept = self._assigned & turned.mine if turned.member == self._id else frozenset()
        lost, new = self._assigned - kept, turned.mine - kept
        self._id, self._assigned = turned.member, turned.mine
        for slot in lost:
            self._owned.pop(slot, None)
        self._lost |= lost
        self._new = (self._new - lost) | new
        self._generation += bool(lost or new)

    async def _batches(self, limit: int) -> dict[Slot, Batch]:
        """Slots take turns in being first, so that a full one does not starve the others."""
        slots = sorted(self._owned)
        if not slots or limit <= 0:
            return {}
        first = self._turns % len(slots)
        self._turns += 1
        nexts = {
            self._ids[Topic.SLOTS, slot]: self._owned[slot].next for slot in slots[first:] + slots[:first]
        }
        found = await self._run(lambda each: _read_some(each, nexts, limit))
        batches = {slot: found[at] for slot in slots if (at := self._ids[Topic.SLOTS, slot]) in found}
        for slot, batch in batches.items():
            self._owned[slot].next = batch.next
        return batches

    async def take(self, slot: Slot) -> Taken:
        self._check_open()
        taken = None
        if slot in self._assigned:
            self._owned.pop(slot, None)
            taken = await self._run(lambda each: commit.take(each, self._dialect, self._ids, slot, self._id))
        if taken is None:
            self._turn_due = 0.0
            raise Fenced(f"slot {slot} is not assigned to member {self._name}; poll")
        self._owned[slot] = Owned(taken.epoch, taken.step.position if taken.step else Position(0))
        return taken

    async def commit(self, step: Step, generation: Generation) -> None:
        self._check_open()
        owned = self._owned.pop(step.slot, None)  # and given back where all is well (C4)
        if owned is None or owned.epoch != step.epoch:
            raise Fenced(f"slot {step.slot} is not taken by member {self._name} under epoch {step.epoch}")
        try:
            await self._session.run(
                lambda each: commit.commit(each, self._dialect, self._ids, step, self._at)
            )
        except Unavailable:
            self._owned[step.slot] = owned
            raise
        except Fault:
            self._turn_due = 0.0
            raise
        if step.slot in self._assigned:
            self._owned[step.slot] = owned

    async def heartbeat(self) -> None:
        self._check_open()
        if not await self._run(lambda each: membership.heartbeat(each, self._dialect, self._id)):
            self._turn_due = 0.0

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._owned.clear()
        try:
            await self._run(lambda each: membership.leave(each, self._dialect, self._id))
        finally:
            await self._session.close()

    async def _run(self, work: Callable[[Connection], Found]) -> Found:
        """For what may be done twice."""
        try:
            return await self._session.run(work)
        except Unknown as unknown:
            raise Unavailable(str(unknown)) from unknown

    def _check_open(self) -> None:
        if self._closed:
            raise Fenced(f"member {self._name} has left; join again")


def _read_some(connection: Connection, nexts: Mapping[int, Position], limit: int) -> dict[int, Batch]:
    found = {}
    some = frozenset(reading.news(connection, nexts))
    for partition, start in nexts.items():
        if partition in some and limit > 0:
            found[partition] = reading.read(connection, partition, start, limit)
            limit -= len(found[partition].entries)
    return found
