"""The contract of the transactional log. Each promise is a function of a World; LOG_CONTRACT has them all."""

from __future__ import annotations

import asyncio

from qmtl.core.errors import Conflict, Fenced, Unknown
from qmtl.core.flow.commit import Position, Record, Slot, Topic
from qmtl.ports.log import Log, Point
from qmtl.testing.contracts.log_world import (
    PATIENCE_SECONDS,
    World,
    committed,
    epochs,
    everything,
    labels,
    owner_of_all,
    recovered,
    refused,
    step,
    until,
    worker,
)

FIRST, OTHER = Slot(0), Slot(1)


def numbered(start: int, stop: int) -> list[Record]:
    return [Record(b"input", b"%d" % number) for number in range(start, stop)]


async def a_step_is_seen_whole_and_its_position_with_it(world: World) -> None:
    """P1."""
    log = await world.open()
    alone = await owner_of_all(log)
    to_other = step(FIRST, alone.taken[FIRST], "one", Position(0), onward_to=OTHER)
    await alone.member.commit(to_other, alone.generation)
    assert [entry.record.value for entry in await everything(log, Topic.SLOTS, OTHER)] == [b"one"]
    await alone.commit(OTHER, "two", position=1)
    again = await alone.member.take(OTHER)
    assert again.step is not None
    assert (again.step.position, again.step.body, again.step.epoch) == (1, b"two", alone.taken[OTHER].epoch)
    commits = await everything(log, Topic.COMMITS, FIRST)
    assert [entry.record.key for entry in commits][:3] == [b"result-0", b"result-1", b"result-2"]


async def a_step_that_cannot_be_written_leaves_nothing(world: World) -> None:
    """P1: one of its records is for a slot that does not exist."""
    log = await world.open()
    alone = await owner_of_all(log)
    nowhere = step(FIRST, alone.taken[FIRST], "bad", Position(0), onward_to=Slot(log.slots))
    try:
        await alone.member.commit(nowhere, alone.generation)
    except ValueError:
        pass
    else:
        raise AssertionError("a record was sent to a slot that does not exist")
    assert await labels(log, FIRST) == []


async def the_elder_of_two_owners_is_refused(world: World) -> None:
    """P2: it did not poll for longer than its lease, and commits what it computed before."""
    elder = await owner_of_all(await world.open(short=True), "elder")
    await elder.commit(FIRST, "before")
    late = elder.step(FIRST, "late")
    log = await world.open(short=True)
    younger = await worker(log, "younger")
    await until(lambda: FIRST in younger.taken, younger, what="the slot of a silent member goes over")
    await refused(elder.member.commit(late, elder.generation))
    await committed(younger, FIRST, "after")
    await refused(elder.member.commit(late, elder.generation))
    assert await labels(log, FIRST) == ["before", "after"]


async def the_elder_is_refused_also_with_a_fresh_generation(world: World) -> None:
    """P9: it has polled since, but the step was made before."""
    elder = await owner_of_all(await world.open(short=True), "elder")
    late, old = elder.step(FIRST, "late"), elder.generation
    log = await world.open(short=True)
    younger = await worker(log, "younger")
    await until(lambda: FIRST in younger.taken, younger, what="the slot of a silent member goes over")
    await until(lambda: FIRST not in elder.taken, elder, younger, what="the elder is told of its loss")
    assert elder.generation != old
    await refused(elder.member.commit(late, old))
    await refused(elder.member.commit(late, elder.generation))
    assert await labels(log, FIRST) == []


async def a_step_made_before_the_slot_came_back_is_refused(world: World) -> None:
    """P9, P3: the same member owns it again, under a higher epoch."""
    log = await world.open()
    elder = await owner_of_all(log, "elder")
    late = {slot: elder.step(slot, "late") for slot in elder.taken}
    old = elder.generation
    other = await worker(await world.open(), "other")
    await until(
        lambda: 0 < len(other.taken) == log.slots - len(elder.taken), elder, other, what="slots are shared"
    )
    moved = min(other.taken)
    await other.member.close()
    await until(lambda: len(elder.taken) == log.slots, elder, what="all slots came back")
    assert elder.taken[moved].epoch > late[moved].epoch
    await refused(elder.member.commit(late[moved], old))
    assert await labels(log, moved) == []


async def taking_again_fences_what_was_made_before(world: World) -> None:
    """P2, P3: also one's own, and although nobody else was there."""
    log = await world.open()
    alone = await owner_of_all(log)
    late = alone.step(FIRST, "late")
    await alone.take(FIRST)
    assert alone.taken[FIRST].epoch > late.epoch
    await refused(alone.member.commit(late, alone.generation))
    await recovered(alone, FIRST)
    await committed(alone, FIRST, "after")
    assert await labels(log, FIRST) == ["after"]


async def epochs_never_decrease(world: World) -> None:
    """P4, P3: through five owners, each of which commits twice."""
    log = await world.open()
    for owner in range(5):
        one = await owner_of_all(await world.open(), f"owner-{owner}")
        await committed(one, FIRST, f"{owner}-0")
        await committed(one, FIRST, f"{owner}-1")
        await one.member.close()
    assert await labels(log, FIRST) == [f"{owner}-{at}" for owner in range(5) for at in range(2)]
    found = await epochs(log, FIRST)
    assert found == sorted(found)
    assert len(set(found)) == 5


async def slots_are_shared_fairly_and_handed_over(world: World) -> None:
    """P6: three members come one after the other; whoever loses a slot says so before another has it."""
    log = await world.open()
    members = [await owner_of_all(log, "first")]
    for name in ("second", "third"):
        members.append(await worker(await world.open(), name))
        await until(
            lambda: (
                sorted(slot for each in members for slot in each.taken) == list(range(log.slots))
                and max(len(each.taken) for each in members) - min(len(each.taken) for each in members) <= 1
            ),
            *members,
            what=f"slots are shared fairly after {name} has come",
        )
    for each in members:
        for own in sorted(each.taken):
            await committed(each, own, "own")
    for number in range(log.slots):
        assert await labels(log, Slot(number)) == ["own"]


async def who_leaves_frees_its_slots_at_once(world: World) -> None:
    """P6: without waiting for the lease."""
    log = await world.open()
    leaving = await owner_of_all(log)
    other = await worker(await world.open(), "other")
    await leaving.member.close()
    await leaving.member.close()
    await until(lambda: len(other.taken) == log.slots, other, what="all slots went over")
    try:
        await leaving.commit(FIRST, "late")
    except Fenced:
        pass
    else:
        raise AssertionError("a member that has left still commits")


async def a_batch_begins_where_the_last_step_ended(world: World) -> None:
    """P8 and poll: what was not committed comes again to whoever takes the slot, and nothing else does."""
    log = await world.open()
    await log.append(Topic.SLOTS, FIRST, numbered(0, 10))
    elder = await owner_of_all(log)
    await until(lambda: len(elder.inputs.get(FIRST, [])) == 10, elder, what="ten inputs are delivered")
    entries = elder.inputs[FIRST]
    assert [entry.record.value for entry in entries] == [b"%d" % number for number in range(10)]
    await elder.commit(FIRST, "half", position=entries[5].position)
    await elder.take(FIRST)
    elder.inputs.clear()
    await until(lambda: len(elder.inputs.get(FIRST, [])) == 6, elder, what="the rest is delivered again")
    assert elder.inputs[FIRST][:5] == entries[5:]


async def nothing_is_delivered_before_it_is_taken_or_beyond_the_limit(world: World) -> None:
    log = await world.open()
    await log.append(Topic.SLOTS, FIRST, numbered(0, 10))
    member = await log.member("reader")
    assigned: set[Slot] = set()
    while len(assigned) < log.slots:
        polled = await member.poll(0.05)
        assert not polled.batches
        assigned |= polled.assigned
    await member.take(FIRST)
    assert not (await member.poll(0.05, limit=0)).batches
    found: list[Position] = []
    while len(found) < 10:
        polled = await member.poll(0.05, limit=3)
        assert set(polled.batches) <= {FIRST}
        if polled.batches:
            batch = polled.batches[FIRST]
            assert 1 <= len(batch.entries) <= 3
            assert batch.next > batch.entries[-1].position
            found += [entry.position for entry in batch.entries]
    assert found == sorted(set(found))


async def an_append_wakes_who_polls(world: World) -> None:
    """Long before its time is over."""
    log = await world.open()
    alone = await owner_of_all(log)
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.TaskGroup() as group:
        polling = group.create_task(alone.member.poll(PATIENCE_SECONDS))
        group.create_task((await world.open()).append(Topic.SLOTS, FIRST, numbered(0, 1)))
    assert FIRST in polling.result().batches
    assert loop.time() - start < PATIENCE_SECONDS / 4


async def readers_never_skip_a_position(world: World) -> None:
    """P5: while six write into one partition at once, who reads on and on sees what is read at the end."""
    writers, rounds = 6, 15
    log = await world.open()
    logs = [await world.open() for _ in range(writers)]

    async def write(name: int, into: Log) -> None:
        for number in range(rounds):
            records = [Record(b"%d" % name, b"%d" % (number * 3 + at)) for at in range(3)]
            await into.append(Topic.SLOTS, FIRST, records)

    async def follow(reader: Log) -> list[tuple[Position, Record]]:
        found: list[tuple[Position, Record]] = []
        at = Position(0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found) < writers * rounds * 3:
                batch = await reader.read(Topic.SLOTS, FIRST, at, limit=50)
                found += [(entry.position, entry.record) for entry in batch.entries]
                at = batch.next
                await asyncio.sleep(0)
        return found

    async with asyncio.TaskGroup() as group:
        following = [group.create_task(follow(await world.open())) for _ in range(2)]
        for name, into in enumerate(logs):
            group.create_task(write(name, into))
    late = [(entry.position, entry.record) for entry in await everything(log, Topic.SLOTS, FIRST)]
    assert following[0].result() == following[1].result() == late
    assert [position for position, _ in late] == sorted({position for position, _ in late})
    for name in range(writers):
        own = [record.value for _, record in late if record.key == b"%d" % name]
        assert own == [b"%d" % number for number in range(rounds * 3)]


async def every_position_can_be_read_again(world: World) -> None:
    """P5: from each on, the rest; with any limit the beginning of it."""
    log = await world.open()
    for start in range(0, 12, 4):
        await log.append(Topic.SLOTS, FIRST, numbered(start, start + 4))
    entries = tuple(await everything(log, Topic.SLOTS, FIRST))
    assert len(entries) == 12
    for at, entry in enumerate(entries):
        assert (await log.read(Topic.SLOTS, FIRST, entry.position)).entries == entries[at:]
        some = await log.read(Topic.SLOTS, FIRST, entry.position, limit=5)
        assert some.entries == entries[at : at + 5]
        assert (await log.read(Topic.SLOTS, FIRST, some.next)).entries == entries[at + 5 :]
    end = await log.end(Topic.SLOTS, FIRST)
    beyond = await log.read(Topic.SLOTS, FIRST, end.visible)
    assert (beyond.entries, beyond.next) == ((), end.visible)


async def what_is_trimmed_is_gone_and_said_to_be(world: World) -> None:
    log = await world.open()
    await log.append(Topic.SLOTS, FIRST, numbered(0, 10))
    entries = await everything(log, Topic.SLOTS, FIRST)
    await log.trim(FIRST, entries[4].position)
    assert list((await log.read(Topic.SLOTS, FIRST, entries[4].position)).entries) == entries[4:]
    try:
        await log.read(Topic.SLOTS, FIRST, entries[3].position)
    except Conflict:
        return
    raise AssertionError("a reader skipped records that were trimmed, unawares")


async def only_owners_write_commit_logs_and_slots_exist(world: World) -> None:
    log = await world.open()
    for topic, slot in ((Topic.COMMITS, FIRST), (Topic.SLOTS, Slot(log.slots)), (Topic.SLOTS, Slot(-1))):
        try:
            await log.append(topic, slot, numbered(0, 1))
        except ValueError:
            continue
        raise AssertionError(f"{topic} {slot} was written")
    alone = await owner_of_all(log)
    stranger = step(Slot(log.slots), alone.taken[FIRST], "none", Position(0))
    await refused(alone.member.commit(stranger, alone.generation))


async def an_unknown_end_is_told_by_the_log(world: World) -> None:
    """P7, P8, C4: cut before and after it became visible; whoever takes over then knows, and nothing is doubled."""
    for point in (Point.OPEN, Point.DONE):
        slot = {Point.OPEN: FIRST, Point.DONE: OTHER}[point]
        log = await world.cut(point, slot)
        cut = await owner_of_all(log, "cut")
        try:
            await cut.commit(slot, "unknown")
        except Unknown:
            pass
        else:
            raise AssertionError("the cut commit has ended well")
        await refused(cut.commit(slot, "unknown"))
        await recovered(cut, slot)
        known = cut.taken[slot].step
        seen = await labels(log, slot)
        assert seen == (["unknown"] if known else [])
        assert bool(known) == (point is Point.DONE)
        await committed(cut, slot, "next")
        assert await labels(await world.open(), slot) == [*seen, "next"]
        await cut.member.close()


LOG_CONTRACT = (
    a_step_is_seen_whole_and_its_position_with_it,
    a_step_that_cannot_be_written_leaves_nothing,
    the_elder_of_two_owners_is_refused,
    the_elder_is_refused_also_with_a_fresh_generation,
    a_step_made_before_the_slot_came_back_is_refused,
    taking_again_fences_what_was_made_before,
    epochs_never_decrease,
    slots_are_shared_fairly_and_handed_over,
    who_leaves_frees_its_slots_at_once,
    a_batch_begins_where_the_last_step_ended,
    nothing_is_delivered_before_it_is_taken_or_beyond_the_limit,
    an_append_wakes_who_polls,
    readers_never_skip_a_position,
    every_position_can_be_read_again,
    what_is_trimmed_is_gone_and_said_to_be,
    only_owners_write_commit_logs_and_slots_exist,
    an_unknown_end_is_told_by_the_log,
)
