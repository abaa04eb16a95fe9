"""A broker that is killed in the middle of commits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from kafka_counted import PATIENCE, awaited, joined, opened, polled_until, results, visible

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.member import KafkaMember
from qmtl.core.errors import Fault, Unavailable
from qmtl.core.flow.commit import Generation, Record, Slot, Step, Taken, Topic
from qmtl.ports.log import Point
from qmtl.runtime.servers import Kafka

SLOT = Slot(0)
INPUTS = 200
RESULTS = 5  # of one input
KILLS = {20: Point.OPEN, 40: Point.BEGIN}  # at which commit, and where in it

pytestmark = [pytest.mark.server("kafka"), pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    with Kafka(tmp_path_factory.mktemp("broker")) as server:
        assert isinstance(server, Kafka)
        print(f"Kafka {server.version}")
        yield server


class Killer:
    """Kills the broker inside chosen commits; it comes back while the commit is still going on."""

    def __init__(self, broker: Kafka) -> None:
        self._broker = broker
        self._starting = ThreadPoolExecutor(1)
        self._started: list[Future[None]] = []
        self.commits = 0
        self.kills: list[Point] = []

    def __call__(self, point: Point, slot: Slot) -> None:
        if point is Point.BEGIN:
            self.commits += 1
        if KILLS.get(self.commits) is point and len(self.kills) < len(KILLS):
            self.kills.append(point)
            self._broker.kill()
            self._started.append(self._starting.submit(self._broker.start))

    def check(self) -> None:
        for each in self._started:
            each.result()


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
    killer = Killer(broker)
    inputs = [Record(b"in", b"%d" % number) for number in range(INPUTS)]
    async with asyncio.timeout(3 * PATIENCE), opened(cluster, 2, at=killer) as log:
        await log.append(Topic.SLOTS, SLOT, inputs)
        async with joined(log, "only") as member:
            await polled_until(member, lambda polled: SLOT in polled.assigned)
            worker = Worker(member)
            await worker.run(INPUTS)
    killer.check()
    faults = dict(Counter(worker.faults))
    print(f"{killer.commits} commits, killed at {[each.name for each in killer.kills]}, faults {faults}")
    assert len(killer.kills) == len(KILLS)
    keys = [key for key, _ in results(cluster, 0)]
    assert keys == [b"%d/%d" % (number, part) for number in range(INPUTS) for part in range(RESULTS)]
    assert [value for _, value in visible(cluster, Topic.SLOTS, 1)] == [each.value for each in inputs]
