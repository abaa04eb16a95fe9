"""The port of the log as a worker sees it: over the log in memory, with faults between the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from random import Random

from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.memory.member import MemoryMember, Owned
from qmtl.core.errors import Fault, Fenced, Unavailable, Unknown
from qmtl.core.flow.commit import Batch, End, Generation, Position, Record, Slot, Step, Taken, Topic
from qmtl.ports.log import Declared, Member, Polled
from qmtl.runtime.worker.slot import SlotState
from qmtl.testing.simulation.faults import Faults, shuffled
from qmtl.testing.simulation.process import Process
from qmtl.testing.simulation.story import Story
from qmtl.testing.simulation.witness import Attempt, Witness


class SimulatedLog:
    """Opened by one process."""

    def __init__(
        self,
        log: MemoryLog,
        process: Process,
        faults: Faults,
        witness: Witness,
        story: Story,
        chance: Random,
        state: Callable[[Slot], SlotState | None],
    ) -> None:
        """`state`: of a slot, as its process has it now."""
        self._state = state
        self._log, self._process, self._faults = log, process, faults
        self._witness, self._story, self._chance = witness, story, chance

    @property
    def slots(self) -> int:
        return self._log.slots

    @property
    def declares(self) -> frozenset[Declared]:
        return self._log.declares | {Declared.SEEN_A_MOMENT_LATER}

    async def version(self) -> str:
        return "simulated"

    async def append(self, topic: Topic, slot: Slot, records: Sequence[Record]) -> None:
        await self._faults.request(f"append to {topic} {slot}")
        await self._log.append(topic, slot, records)

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        what = f"read {topic} {slot} from {start}"
        await self._faults.request(what)
        batch = await self._log.read(topic, slot, start, limit)
        self._faults.spoil(what)
        if self._faults.befalls("stale"):
            shown = self._chance.randrange(len(batch.entries) + 1)
            self._faults.note("stale", f"{what}: {shown} of {len(batch.entries)}")
            if shown < len(batch.entries):
                batch = Batch(batch.entries[:shown], batch.entries[shown].position if shown else start)
        self._story.tell(self._process.name, f"{what}: {len(batch.entries)} records")
        return batch

    async def end(self, topic: Topic, slot: Slot) -> End:
        await self._faults.request(f"end of {topic} {slot}")
        return await self._log.end(topic, slot)

    async def trim(self, slot: Slot, before: Position) -> None:
        await self._faults.request(f"trim {slot}")
        await self._log.trim(slot, before)

    async def member(self, name: str) -> Member:
        return SimulatedMember(self, await self._log.member(name))

    async def close(self) -> None:
        """There is nothing to let go of."""


class SimulatedMember:
    """A member as its process sees it."""

    def __init__(self, log: SimulatedLog, member: MemoryMember) -> None:
        self._log, self._member = log, member
        self._name, self._faults, self._story = log._process.name, log._faults, log._story
        self._sent: dict[Slot, tuple[Attempt, Generation, Owned]] = {}  # the last commit of every slot

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        await self._faults.request("poll")
        polled = await self._member.poll(timeout, limit)
        self._say(polled)
        if self._faults.befalls("reorder"):
            self._faults.note("reorder", f"batches of {len(polled.batches)} slots")
            await self._faults.delay(what="poll")
            return replace(polled, batches=shuffled(self._log._chance, dict(polled.batches)))
        return polled

    def _say(self, polled: Polled) -> None:
        if polled.assigned or polled.lost or polled.batches:
            batches = {int(slot): len(batch.entries) for slot, batch in polled.batches.items()}
            given, lost = sorted(map(int, polled.assigned)), sorted(map(int, polled.lost))
            self._story.tell(self._name, f"poll: given {given}, lost {lost}, records {batches}")

    async def take(self, slot: Slot) -> Taken:
        await self._faults.request(f"take {slot}")
        if self._faults.befalls("duplicate"):
            self._faults.note("duplicate", f"take {slot}")
            with suppress(Fenced):
                await self._member.take(slot)
        taken = await self._member.take(slot)
        position = taken.step.position if taken.step else 0
        self._story.tell(self._name, f"takes slot {slot}: epoch {taken.epoch}, from {position}")
        await self._again(slot)
        await self._faults.answer(f"take {slot}")
        return taken

    async def _again(self, slot: Slot) -> None:
        """A commit of the time before arrives at the log once more, late: it must be refused (P2)."""
        before = self._sent.pop(slot, None)
        if before is None or not self._faults.befalls("duplicate"):
            return
        attempt, generation, owned = before
        if not self._log._log._store.is_fenced(slot, owned.fence):
            return  # a log without a fence by id (a canary) would know it by its sequence number
        self._faults.note("duplicate", f"commit {attempt.told} again")
        with suppress(Fault):
            await self._member._transaction(attempt.step, generation, owned)
            raise self._story.violation(
                self._name, f"P2: {attempt.told} was accepted after the next takeover"
            )

    async def commit(self, step: Step, generation: Generation) -> None:
        attempt = self._log._witness.attempted(step, self._name)
        if step.slot in self._member._owned:
            self._sent[step.slot] = attempt, generation, self._member._owned[step.slot]
        self._story.calls += 1
        try:
            await self._member.commit(attempt.step, generation)
        except (Fenced, Unavailable) as wrong:
            self._story.tell(self._name, f"{type(wrong).__name__}: {attempt.told}")
            self._log._witness.refused(attempt)
            raise
        except Unknown:
            self._story.tell(self._name, f"Unknown: {attempt.told}")
            raise
        self._story.tell(self._name, f"committed {attempt.told}")
        self._log._witness.accepted(attempt, self._log._state(step.slot))

    async def heartbeat(self) -> None:
        await self._faults.request("heartbeat")
        for _ in range(1 + self._faults.befalls("duplicate")):
            await self._member.heartbeat()

    async def close(self) -> None:
        await self._member.close()
