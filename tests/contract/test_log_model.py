"""The log in memory and the log on SQLite: the same operations, the same observations, until they differ.

Two differences are declared and kept out: positions have gaps in memory, so records are compared by their place; and
any change of the group refuses a step there, so a member polls before it commits or takes, unless it is late.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.sql.log import SqlLog
from qmtl.core.errors import Conflict, Fenced
from qmtl.core.flow.commit import STEP_KEY, Position, Record, Slot, Step, StepRecord, Topic
from qmtl.testing.contracts.log_world import Worker, everything

SLOTS, MEMBERS, LEASE = 4, 3, 10.0
SLOT = st.integers(0, SLOTS - 1).map(Slot)
WHO = st.integers(0, MEMBERS - 1)


class Side:
    """One log with its members; what it shows is told without positions and epochs."""

    def __init__(self, log):
        self.log = log
        self.members: dict[int, Worker] = {}
        self.late: dict[tuple[int, Slot], Step] = {}

    async def places(self, topic, slot):
        """Of what is still there, the positions."""
        kept = Position(0)
        while True:
            try:
                await self.log.read(topic, slot, kept, limit=1)
                break
            except Conflict:
                kept = Position(kept + 1)
        end = (await self.log.end(topic, slot)).visible
        batch = await self.log.read(topic, slot, kept, limit=end + 1)
        return [entry.position for entry in batch.entries]

    async def poll(self, who, limit):
        one = self.members[who]
        polled = await one.member.poll(0, limit)
        one.generation = polled.generation
        for slot in polled.lost:
            if slot in one.taken:
                self.late[who, slot] = made(one, slot, "late")
                del one.taken[slot]
        told = {slot: [entry.record for entry in batch.entries] for slot, batch in polled.batches.items()}
        for slot, batch in polled.batches.items():
            one.inputs[slot] = [*one.inputs.get(slot, []), *batch.entries]
        return polled.assigned, polled.lost, told

    async def take(self, who, slot):
        one = self.members[who]
        before = one.taken.get(slot)
        try:
            taken = await one.member.take(slot)
        except Fenced:
            one.taken.pop(slot, None)
            return "fenced"
        if before is not None:
            self.late[who, slot] = made(one, slot, "late")
        one.taken[slot], one.inputs[slot] = taken, []
        if taken.step is None:
            return "first"
        assert taken.epoch > taken.step.epoch
        inputs = await self.places(Topic.SLOTS, slot)
        return taken.step.body, sum(position >= taken.step.position for position in inputs)

    async def commit(self, who, step, generation):
        try:
            await self.members[who].member.commit(step, generation)
        except Fenced:
            self.members[who].taken.pop(step.slot, None)
            return "fenced"
        return "committed"


def made(one: Worker, slot: Slot, label: str, consumed: int = 0, onward_to: Slot | None = None) -> Step:
    """`consumed`: of the inputs delivered since the slot was taken, how many."""
    seen = one.inputs.get(slot, [])[:consumed]
    before = one.taken[slot].step
    start = before.position if before else Position(0)
    position = Position(seen[-1].position + 1) if seen else start
    name = label.encode()
    onward = () if onward_to is None else ((onward_to, Record(b"onward", name)),)
    return Step(
        slot,
        one.taken[slot].epoch,
        position,
        results=(Record(b"r", name),),
        onward=onward,
        side=((Topic.CONTROL, Record(b"s", name)),),
        body=name,
    )


class BothLogs(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.now = 1000.0
        self.count = 0
        self.takers: dict[Slot, int] = {}  # who took it last

    @initialize()
    def open(self):
        def clock():
            return self.now

        memory = MemoryLog(SLOTS, clock, lease_seconds=LEASE, transaction_seconds=1e9)
        url = f"sqlite:///{self.folder / 'log.db'}"
        made = SqlLog.open(
            url, SLOTS, lease_seconds=LEASE, renew_seconds=0, wall_clock=clock, synchronous="OFF"
        )
        self.sides = (Side(memory), Side(self.runner.run(made)))
        for who in range(2):
            self.join_or_leave(who)

    def same(self, do):
        """Does it on both sides, and answers what both have shown."""

        async def both():
            return [await do(side) for side in self.sides]

        memory, sql = self.runner.run(both())
        assert memory == sql
        return memory

    def poll_of(self, who, limit=0):
        return self.same(lambda side: side.poll(who, limit))

    @property
    def live(self):
        return self.sides[0].members

    @rule(who=WHO)
    def join_or_leave(self, who):
        async def do(side):
            if who in side.members:
                await side.members.pop(who).member.close()
                for late in [late for late in side.late if late[0] == who]:
                    del side.late[late]
            else:
                side.members[who] = Worker(await side.log.member(str(who)))

        self.same(do)

    @rule(seconds=st.sampled_from([LEASE / 3, LEASE / 2, LEASE]))
    def time_goes_on(self, seconds):
        self.now += seconds

    @rule(who=WHO)
    def silence_of(self, who):
        """It sleeps past its lease, the others go on, and take what is theirs then."""
        for _ in range(3):
            self.now += LEASE / 2
            for other in self.live:
                if other != who:
                    self.take_all(other)

    @rule(who=WHO)
    def heartbeat(self, who):
        if who in self.live:
            self.same(lambda side: side.members[who].member.heartbeat())

    @rule(who=WHO, limit=st.integers(0, 5))
    def poll(self, who, limit):
        if who in self.live:
            self.poll_of(who, limit)

    @rule(who=WHO)
    def take_all(self, who):
        if who in self.live:
            for slot in range(SLOTS):
                self.take(who, Slot(slot))

    @rule(who=WHO, slot=SLOT)
    def take(self, who, slot):
        if who in self.live:
            self.poll_of(who)
            if self.same(lambda side: side.take(who, slot)) != "fenced":
                self.takers[slot] = who

    @rule(who=st.integers(0, 1), pick=SLOT, consumed=st.integers(0, 3), onward=st.none() | SLOT)
    def commit(self, who, pick, consumed, onward):
        if who not in self.live:
            return
        self.poll_of(who, 3)
        if not self.live[who].taken:
            self.take_all(who)
        mine = sorted(self.live[who].taken)
        if not mine:
            return
        slot = mine[pick % len(mine)]
        self.count += 1

        async def do(side):
            one = side.members[who]
            step = made(one, slot, str(self.count), consumed, onward)
            done = await side.commit(who, step, one.generation)
            if done == "committed":
                side.late[who, slot] = step
            return done

        assert self.same(do) == "committed"
        event("committed")

    @rule(pick=st.integers(0, 100))
    def commit_late(self, pick):
        """A step made before the slot was lost to somebody else or taken again, polled since or not."""
        late = sorted(self.sides[0].late)
        if not late:
            return
        who, slot = late[pick % len(late)]
        now = self.live[who].taken.get(slot)
        step = self.sides[0].late[who, slot]
        if now is not None and self.takers[slot] == who and now.epoch == step.epoch:
            return  # not late: it is the owner, for all it knows
        event(
            "late: " + ("lost" if now is None else "taken again" if self.takers[slot] == who else "unaware")
        )

        async def do(side):
            return await side.commit(who, side.late[who, slot], side.members[who].generation)

        assert self.same(do) == "fenced"

    @rule(slot=SLOT, records=st.integers(1, 4))
    def append(self, slot, records):
        self.count += 1
        made = [Record(b"input", b"%d.%d" % (self.count, each)) for each in range(records)]
        self.same(lambda side: side.log.append(Topic.SLOTS, slot, made))

    @rule(topic=st.sampled_from(Topic), slot=SLOT, data=st.data(), limit=st.integers(1, 9))
    def read(self, topic, slot, data, limit):
        places = self.same(lambda side: self.count_of(side, topic, slot))
        at = data.draw(st.integers(0, places))

        async def do(side):
            found = await side.places(topic, slot)
            start = found[at] if at < len(found) else (await side.log.end(topic, slot)).visible
            batch = await side.log.read(topic, slot, start, limit)
            after = await side.log.read(topic, slot, batch.next, limit)
            return told(batch), told(after)

        self.same(do)

    async def count_of(self, side, topic, slot):
        return len(await side.places(topic, slot))

    @rule(slot=SLOT, keep=st.integers(0, 3))
    def trim(self, slot, keep):
        """Only what the last step has consumed (C8)."""

        async def do(side):
            commits = await everything(side.log, Topic.COMMITS, slot)
            steps = [StepRecord.of(each.record) for each in commits if each.record.key == STEP_KEY]
            consumed = [
                each for each in await side.places(Topic.SLOTS, slot) if steps and each < steps[-1].position
            ]
            if len(consumed) > keep:
                await side.log.trim(slot, consumed[-keep - 1])
            return len(consumed), len(await side.places(Topic.SLOTS, slot))

        consumed, left = self.same(do)
        event("trimmed" if left else "trimmed all" if consumed else "nothing to trim")

    def teardown(self):
        async def close(side):
            for one in side.members.values():
                await one.member.close()
            for slot in range(SLOTS):
                commits = await everything(side.log, Topic.COMMITS, Slot(slot))
                found = [StepRecord.of(each.record).epoch for each in commits if each.record.key == STEP_KEY]
                assert found == sorted(found)
            await side.log.close()

        if hasattr(self, "sides"):
            self.same(close)
        self.runner.close()
        shutil.rmtree(self.folder)


def told(batch):
    """Records; of a step record its body, since positions and epochs are each log's own."""
    return [
        StepRecord.of(each.record).body if each.record.key == STEP_KEY else each.record
        for each in batch.entries
    ]


TestBothLogs = BothLogs.TestCase
TestBothLogs.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
