"""A broker that is killed in the middle of commits, and one that compacts the commit log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from kafka_counted import PATIENCE, awaited, joined, opened, polled_until, results, visible

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.member import KafkaMember
from qmtl.core.errors import Fault, Unavailable
from qmtl.core.flow.commit import Generation, Record, Slot, Step, Taken, Topic
from qmtl.ports.log import Point
from qmtl.runtime.servers import Kafka

SLOT = Slot(0)
INPUTS = 300
RESULTS = 5  # of one input
KILLS = {20: Point.OPEN, 45: Point.BEGIN, 70: Point.OPEN}  # at which commit, and where in it

pytestmark = [pytest.mark.server("kafka"), pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("broker")) as server:
        assert isinstance(server, Kafka)
        print(f"Kafka {server.version}")
        yield server


class Killer:
    """Kills the broker inside chosen commits; it is back while the commit is still going on, or after."""

    def __init__(self, broker: Kafka, group: asyncio.TaskGroup) -> None:
        self._broker, self._group = broker, group
        self.commits = 0
        self.kills: list[Point] = []

    async def __call__(self, point: Point, slot: Slot) -> bool:
        if point is Point.BEGIN:
            self.commits += 1
        if KILLS.get(self.commits) is point and len(self.kills) < len(KILLS):
            self.kills.append(point)
            self._broker.kill()
            self._group.create_task(asyncio.to_thread(self._broker.start))
        return False


class Worker:
    """Five results and an onward record for each input, as C4 says: what is indefinite is read from the log."""

    def __init__(self, member: KafkaMember) -> None:
        self._member = member
        self._taken: Taken | None = None
        self.faults: list[str] = []

    async def run(self, inputs: int) -> None:
        """Until all are consumed."""
        done = 0
        while done < inputs:
            try:
                done = await self._turn(done)
            except Fault as fault:
                self.faults.append(type(fault).__name__)
                if not isinstance(fault, Unavailable):
                    self._taken = None

    async def _turn(self, done: int) -> int:
        polled = await self._member.poll(0.2, 3)
        if SLOT in polled.lost:
            self._taken = None
        if self._taken is None:
            self._taken = await self._member.take(SLOT)
            return int(self._taken.step.body) if self._taken.step else 0
        batch = polled.batches.get(SLOT)
        if batch is None:
            return done
        values = [entry.record.value for entry in batch.entries]
        done += len(values)
        out = tuple(Record(b"%s/%d" % (each, part), b"r") for each in values for part in range(RESULTS))
        onward = tuple((Slot(1), Record(b"onward", each)) for each in values)
        step = Step(SLOT, self._taken.epoch, batch.next, out, onward, body=b"%d" % done)
        await self._commit(step, polled.generation)
        return done

    async def _commit(self, step: Step, generation: Generation) -> None:
        """After Unavailable nothing was done: the same step again (P7)."""
        while True:
            try:
                return await self._member.commit(step, generation)
            except Unavailable as fault:
                self.faults.append(type(fault).__name__)


@awaited
async def test_nothing_is_lost_partial_or_doubled_when_the_broker_is_killed_during_commits(
    broker: Kafka,
) -> None:
    cluster = Cluster(broker.address, "killed")
    async with asyncio.timeout(3 * PATIENCE), asyncio.TaskGroup() as group:
        killer = Killer(broker, group)
        async with opened(cluster, 2, cut=killer) as log, joined(log, "only") as member:
            inputs = [Record(b"in", b"%d" % number) for number in range(INPUTS)]
            await log.append(Topic.SLOTS, SLOT, inputs)
            await polled_until(member, lambda polled: SLOT in polled.assigned)
            worker = Worker(member)
            await worker.run(INPUTS)
    print(
        f"{killer.commits} commits, killed at {[each.name for each in killer.kills]}, faults {worker.faults}"
    )
    assert len(killer.kills) == len(KILLS)
    keys = [key for key, _ in results(cluster, 0)]
    assert keys == [b"%d/%d" % (number, part) for number in range(INPUTS) for part in range(RESULTS)]
    assert [value for _, value in visible(cluster, Topic.SLOTS, 1)] == [each.value for each in inputs]
