"""What the log in memory shows of a broker's troubles: hanging transactions, held readers, fencing by id."""

from __future__ import annotations

import asyncio

import pytest

from qmtl.adapters.memory.log import MemoryLog
from qmtl.core.errors import Fenced, Unavailable, Unknown
from qmtl.core.flow.commit import Position, Record, Slot, Topic
from qmtl.ports.log import Point
from qmtl.testing.contracts.log_world import Worker, labels, owner_of_all, recovered, step

FIRST, OTHER = Slot(0), Slot(1)
LEASE, LIMIT = 5.0, 10.0


class Fates:
    """Fails once at a given point of a slot's commit, or waits there until it is let go on."""

    def __init__(self):
        self.fails: set[tuple[Point, Slot]] = set()
        self.waits: dict[tuple[Point, Slot], asyncio.Event] = {}
        self.there = asyncio.Event()

    async def __call__(self, point, slot):
        if (point, slot) in self.waits:
            self.there.set()
            await self.waits[point, slot].wait()
        fails = (point, slot) in self.fails
        self.fails.discard((point, slot))
        return fails


class Broker:
    def __init__(self):
        self.now = 0.0
        self.fates = Fates()
        self.log = MemoryLog(
            2, lambda: self.now, lease_seconds=LEASE, transaction_seconds=LIMIT, cut=self.fates
        )

    async def owner(self) -> Worker:
        return await owner_of_all(self.log)


async def hanging(broker: Broker) -> Worker:
    """Its owner's transaction into the other slot's input was left open."""
    owner = await broker.owner()
    broker.fates.fails.add((Point.OPEN, FIRST))
    with pytest.raises(Unknown):
        await owner.member.commit(
            step(FIRST, owner.taken[FIRST], "hanging", Position(0), onward_to=OTHER), owner.generation
        )
    return owner


def run(test):
    """Runs an async test on a new broker."""

    def sync():
        async def main():
            await test(Broker())

        asyncio.run(main())

    sync.__doc__ = test.__doc__
    return sync


@run
async def test_readers_wait_behind_an_open_transaction(broker):
    """Also for records that were committed after it began, and the lag is seen."""
    await hanging(broker)
    await broker.log.append(Topic.SLOTS, OTHER, [Record(b"after", b"1")])
    assert (await broker.log.read(Topic.SLOTS, OTHER, Position(0))).entries == ()
    end = await broker.log.end(Topic.SLOTS, OTHER)
    assert end.visible == 0 < end.written


@run
async def test_the_next_owner_ends_what_its_predecessor_left_open(broker):
    owner = await hanging(broker)
    await broker.log.append(Topic.SLOTS, OTHER, [Record(b"after", b"1")])
    await recovered(owner, FIRST)
    seen = await broker.log.read(Topic.SLOTS, OTHER, Position(0))
    assert [entry.record.key for entry in seen.entries] == [b"after"]
    assert owner.taken[FIRST].step is None


@run
async def test_an_open_transaction_ends_at_its_time_limit(broker):
    await hanging(broker)
    await broker.log.append(Topic.SLOTS, OTHER, [Record(b"after", b"1")])
    broker.now = LIMIT
    end = await broker.log.end(Topic.SLOTS, OTHER)
    assert end.visible == end.written
    assert len((await broker.log.read(Topic.SLOTS, OTHER, Position(0))).entries) == 1


@run
async def test_after_unavailable_the_same_step_may_be_committed_again(broker):
    owner = await broker.owner()
    broker.fates.fails.add((Point.BEGIN, FIRST))
    with pytest.raises(Unavailable):
        await owner.commit(FIRST, "one")
    await owner.commit(FIRST, "one")
    assert await labels(broker.log, FIRST) == ["one"]


@run
async def test_a_transaction_slower_than_its_limit_is_refused(broker):
    owner = await broker.owner()
    broker.fates.waits[Point.OPEN, FIRST] = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(refusal(owner))
        await broker.fates.there.wait()
        broker.now = LIMIT
        broker.fates.waits[Point.OPEN, FIRST].set()
    assert slow.result() is Fenced
    assert await labels(broker.log, FIRST) == []


@run
async def test_an_owner_overtaken_inside_its_transaction_is_refused(broker):
    """The younger takes the slot while the elder's records are written and not yet visible."""
    elder = await broker.owner()
    broker.fates.waits[Point.OPEN, FIRST] = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(refusal(elder))
        await broker.fates.there.wait()
        broker.now = LEASE
        younger = await broker.owner()
        broker.fates.waits[Point.OPEN, FIRST].set()
    assert slow.result() is Fenced
    await younger.commit(FIRST, "younger")
    assert await labels(broker.log, FIRST) == ["younger"]


@run
async def test_a_task_that_dies_inside_its_transaction_leaves_it_open(broker):
    owner = await broker.owner()
    broker.fates.waits[Point.OPEN, FIRST] = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        dying = group.create_task(refusal(owner))
        await broker.fates.there.wait()
        dying.cancel()
    end = await broker.log.end(Topic.COMMITS, FIRST)
    assert end.visible == 0 < end.written


@run
async def test_a_change_of_the_group_refuses_steps_polled_before_it(broker):
    """Also of a slot that stays, as it is declared; polled again it goes on without being doubled."""
    owner = await broker.owner()
    polled = await broker.log.member("another")
    with pytest.raises(Fenced):
        await owner.commit(FIRST, "old")
    await recovered(owner, FIRST)
    await owner.commit(FIRST, "new")
    assert await labels(broker.log, FIRST) == ["new"]
    await polled.close()


async def refusal(owner):
    try:
        await owner.commit(FIRST, "slow")
    except (Fenced, Unknown) as refused:
        return type(refused)
