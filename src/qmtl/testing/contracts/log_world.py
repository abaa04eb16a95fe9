"""What the contract of the log is run on, and the small words its promises are written in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from qmtl.core.errors import Fenced, Unavailable, Unknown
from qmtl.core.flow.commit import (
    STEP_KEY,
    Entry,
    Generation,
    Position,
    Record,
    Slot,
    Step,
    StepRecord,
    Taken,
    Topic,
)
from qmtl.ports.log import Declared, Log, Member, Point

PATIENCE_SECONDS = 60.0  # nothing that works takes so long
At = Callable[[Point, Slot], None]


@dataclass(frozen=True)
class Victim:
    """How another process opens the same log: `module:function`, called with `at=` and these arguments."""

    opener: str
    arguments: dict[str, object]


class World(Protocol):
    """One log, created afresh for each promise. Logs opened on it are its to close."""

    lease_seconds: float  # of a short lease: how long a member that does not poll keeps its slots

    async def open(self, *, short: bool = False) -> Log:
        """The same log once more, as another process would open it."""
        ...

    async def cut(self, point: Point, slot: Slot) -> Log:
        """The same, where the first commit of the slot is cut at this point, its end left unknown."""
        ...

    def victim(self, *, short: bool = True) -> Victim | None:
        """None where another process cannot open it."""
        ...


@dataclass
class Worker:
    """A member with what it owns, as a worker keeps it."""

    member: Member
    taken: dict[Slot, Taken] = field(default_factory=dict)
    inputs: dict[Slot, list[Entry]] = field(default_factory=dict)
    generation: Generation = field(default_factory=lambda: Generation(-1))

    async def poll(self, timeout: float = 0.05, limit: int = 1000) -> None:
        polled = await self.member.poll(timeout, limit)
        self.generation = polled.generation
        for slot in polled.lost:
            self.taken.pop(slot, None)
        for slot, batch in polled.batches.items():
            self.inputs.setdefault(slot, []).extend(batch.entries)
        for slot in sorted(polled.assigned):
            await self.take(slot)

    async def take(self, slot: Slot) -> None:
        try:
            self.taken[slot] = await self.member.take(slot)
        except Fenced:
            self.taken.pop(slot, None)

    def step(self, slot: Slot, name: str, position: int | None = None) -> Step:
        """A step with something in every part, all of it naming it."""
        mine = self.taken[slot]
        before = mine.step.position if mine.step else Position(0)
        return step(slot, mine, name, before if position is None else Position(position))

    async def commit(self, slot: Slot, name: str, position: int | None = None) -> None:
        await self.member.commit(self.step(slot, name, position), self.generation)


def step(slot: Slot, taken: Taken, name: str, position: Position, onward_to: Slot | None = None) -> Step:
    label = name.encode()
    return Step(
        slot,
        taken.epoch,
        position,
        results=tuple(Record(b"result-%d" % at, label) for at in range(3)),
        onward=((slot if onward_to is None else onward_to, Record(b"onward", label)),),
        side=((Topic.CONTROL, Record(b"side", label)),),
        body=label,
    )


async def worker(log: Log, name: str = "worker") -> Worker:
    return Worker(await log.member(name))


async def until(true: Callable[[], bool | Awaitable[bool]], *polling: Worker, what: str) -> None:
    """Polls these workers in turn until it is true."""
    loop = asyncio.get_running_loop()
    late = loop.time() + PATIENCE_SECONDS
    while True:
        found = true()
        if found if isinstance(found, bool) else await found:
            return
        assert loop.time() < late, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
        for each in polling:
            await patiently(each.poll)
        await asyncio.sleep(0)


async def patiently(do: Callable[[], Awaitable[None]]) -> None:
    """A server that is away for a moment is no failure of the promise under test."""
    try:
        await do()
    except Unavailable:
        await asyncio.sleep(0.01)


async def owner_of_all(log: Log, name: str = "worker") -> Worker:
    alone = await worker(log, name)
    await until(lambda: len(alone.taken) == log.slots, alone, what="the only member owns all slots")
    return alone


async def recovered(owner: Worker, slot: Slot) -> None:
    """After Fenced or Unknown (C4): poll, and where the slot is still assigned take it over."""
    owner.taken.pop(slot, None)

    async def taken() -> bool:
        await owner.poll()
        if slot not in owner.taken:
            await owner.take(slot)
        return slot in owner.taken

    await until(taken, what=f"slot {slot} is taken again")


async def committed(owner: Worker, slot: Slot, name: str) -> None:
    """Taken again as often as a change of the group refuses the step (Declared.GENERATION_IS_OF_GROUP)."""

    async def done() -> bool:
        try:
            await owner.commit(slot, name)
        except Fenced:
            await recovered(owner, slot)
            return False
        return True

    await until(done, what=f"slot {slot} commits {name}")


async def everything(log: Log, topic: Topic, slot: Slot) -> list[Entry]:
    """All that is visible, read in small pieces. No transaction may be open there."""
    found: list[Entry] = []
    at = Position(0)
    end = await settled(log, topic, slot)
    while at < end:
        batch = await log.read(topic, slot, at, limit=7)
        found += batch.entries
        at = batch.next
    return found


async def settled(log: Log, topic: Topic, slot: Slot) -> Position:
    """The visible end; where it is declared to come a moment later, when it has come."""
    loop = asyncio.get_running_loop()
    late = loop.time() + PATIENCE_SECONDS
    while True:
        end = await log.end(topic, slot)
        if end.visible == end.written or Declared.SEEN_A_MOMENT_LATER not in log.declares:
            return end.visible
        assert loop.time() < late, f"a transaction is open in {topic} of slot {slot} for too long"
        await asyncio.sleep(0.001)


async def labels(log: Log, slot: Slot) -> list[str]:
    """The names of the steps of this slot, in log order; checked to be whole in every part (P1)."""
    commits = [entry.record for entry in await everything(log, Topic.COMMITS, slot)]
    steps = [StepRecord.of(record).body.decode() for record in commits if record.key == STEP_KEY]
    results = [record.value.decode() for record in commits if record.key != STEP_KEY]
    inputs = await everything(log, Topic.SLOTS, slot)
    onward = [entry.record.value.decode() for entry in inputs if entry.record.key == b"onward"]
    side = [entry.record.value.decode() for entry in await everything(log, Topic.CONTROL, slot)]
    assert results == [name for name in steps for _ in range(3)], (results, steps)
    assert onward == steps == side, (onward, steps, side)
    return steps


async def epochs(log: Log, slot: Slot) -> list[int]:
    commits = [entry.record for entry in await everything(log, Topic.COMMITS, slot)]
    return [StepRecord.of(record).epoch for record in commits if record.key == STEP_KEY]


async def refused(commit: Awaitable[None]) -> None:
    """P2: Fenced, or an end that the log tells."""
    try:
        await commit
    except (Fenced, Unknown):
        return
    raise AssertionError("a commit that somebody else's ownership forbids was accepted")
