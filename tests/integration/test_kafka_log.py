"""The log on a real broker, with real faults. What is in the log is counted by a plain `read_committed` consumer."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from kafka_counted import PATIENCE, awaited, joined, opened, polled_until, results, visible

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.adapters.kafka.owner import Consumed, Owner
from qmtl.adapters.kafka.topics import make_topics
from qmtl.core.errors import Conflict, Fenced, UserError
from qmtl.core.flow.commit import Position, Record, Slot, Step, Topic
from qmtl.ports.log import Point
from qmtl.runtime.servers import Kafka

OWNER = Path(__file__).with_name("kafka_owner.py")

pytestmark = pytest.mark.server("kafka")


@pytest.fixture
def cluster(kafka: Kafka, request: pytest.FixtureRequest) -> Cluster:
    print(f"Kafka {kafka.version}")
    return Cluster(kafka.address, f"{request.node.name}")


@contextmanager
def owner(cluster: Cluster) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns all slots, and has made a step of each."""
    process = subprocess.Popen(
        [sys.executable, str(OWNER), cluster.bootstrap, cluster.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().strip() == "made"
        yield process
    finally:
        process.kill()
        process.communicate()


@awaited
async def test_an_owner_stopped_past_its_session_commits_no_more(cluster: Cluster) -> None:
    """Slot 0 is taken over meanwhile (its transactional id is fenced), slot 1 is only assigned (its generation is)."""
    async with opened(cluster, 2) as log:
        with owner(cluster) as process:
            async with joined(log, "second") as second:
                process.send_signal(signal.SIGSTOP)
                polled = await polled_until(second, lambda polled: len(polled.assigned) == 2)
                taken = await second.take(Slot(0))
                step = Step(Slot(0), taken.epoch, taken.step.position, (Record(b"second", b"1"),))
                await second.commit(step, polled.generation)
                process.send_signal(signal.SIGCONT)
                said, _ = process.communicate("go\n", timeout=PATIENCE)
    assert said.split() == ["Fenced"] * 4
    assert results(cluster, 0) == [(b"first", b"1"), (b"second", b"1")]
    assert results(cluster, 1) == [(b"first", b"1")]


@awaited
async def test_a_step_of_an_old_generation_is_refused_and_every_broken_form_of_the_rule_is_noticed(
    cluster: Cluster,
) -> None:
    """C3: metadata as it was when the step's input was polled, and an offset always. The canaries commit."""
    async with opened(cluster, 2) as log, joined(log, "first") as first:
        before = await polled_until(first, lambda polled: len(polled.assigned) == 2)
        async with joined(log, "second") as second:
            async with asyncio.TaskGroup() as group:
                given = group.create_task(polled_until(second, lambda polled: bool(polled.assigned)))
                lost = (await polled_until(first, lambda polled: bool(polled.lost))).lost
                while not given.done():
                    await first.poll(0.1)
            after = await first.poll(0.0)
            (slot,) = lost
            zombie = Owner(cluster, cluster.transactional_id(slot), PATIENCE)
            at = TopicPartition(cluster.topic(Topic.SLOTS), slot, 0)
            nobody = b"CGMDv2:\xff\xff\xff\xff" + cluster.group.encode() + b"\0\0\x01"

            def commits(name: bytes, consumed: Consumed | None) -> None:
                out = {(cluster.topic(Topic.COMMITS), slot): [Record(name, b"late")]}
                zombie.commit(out, consumed, lambda point: None)

            with pytest.raises(Fenced, match="ILLEGAL_GENERATION"):
                commits(b"rule", Consumed(at, before.generation.token))
            assert results(cluster, slot) == []
            commits(b"fresh metadata", Consumed(at, after.generation.token))
            commits(b"metadata of nobody", Consumed(at, nobody))
            commits(b"no offset", None)
            zombie.close()
    assert [key for key, _ in results(cluster, slot)] == [
        b"fresh metadata",
        b"metadata of nobody",
        b"no offset",
    ]


def test_a_producer_that_is_fenced_while_it_writes_says_so(cluster: Cluster) -> None:
    """Nothing but the broker's refusal of its records tells it."""
    make_topics(cluster, 1)
    others = []

    def fence(point: Point) -> None:
        if point is Point.BEGIN:
            others.append(Owner(cluster, "one", PATIENCE))

    out = {(cluster.topic(Topic.CONTROL), Slot(0)): [Record(b"k", b"v")] * 100}
    first = Owner(cluster, "one", PATIENCE)
    with pytest.raises(Fenced):
        first.commit(out, None, fence)
    first.close()
    others[0].commit(out, None, lambda point: None)
    others[0].close()
    assert len(visible(cluster, Topic.CONTROL, 0)) == 100


@awaited
async def test_readers_pass_over_aborted_records_markers_and_gaps_and_wait_for_what_is_open(
    cluster: Cluster,
) -> None:
    slot, topic = Slot(0), Topic.CONTROL
    async with opened(cluster, 1) as log:
        writer = Producer(
            {"bootstrap.servers": cluster.bootstrap, "transactional.id": f"{cluster.name}-writer"}
        )
        writer.init_transactions()

        def write(first: int, last: int) -> None:
            writer.begin_transaction()
            for number in range(first, last):
                writer.produce(cluster.topic(topic), str(number), "k", partition=0)
            writer.flush()

        write(0, 5)
        writer.commit_transaction()
        write(5, 9)
        writer.abort_transaction()
        write(9, 12)
        writer.commit_transaction()
        decided = await log.end(topic, slot)
        assert decided.visible == decided.written
        write(12, 14)
        open_end = await log.end(topic, slot)
        assert (open_end.visible, open_end.written) == (decided.visible, decided.visible + 2)

        whole = await log.read(topic, slot, Position(0))
        assert [entry.record.value for entry in whole.entries] == [
            b"0",
            b"1",
            b"2",
            b"3",
            b"4",
            b"9",
            b"10",
            b"11",
        ]
        assert whole.next == decided.visible
        by_three, at = [], Position(0)
        while (batch := await log.read(topic, slot, at, 3)).entries:
            assert len(batch.entries) <= 3
            by_three += batch.entries
            at = batch.next
        assert tuple(by_three) == whole.entries
        for entry in whole.entries:
            assert (await log.read(topic, slot, entry.position, 1)).entries == (entry,)
        writer.abort_transaction()
        behind = await log.read(topic, slot, whole.next)
        assert behind.entries == ()
        assert behind.next == (await log.end(topic, slot)).visible == decided.visible + 3


@awaited
async def test_a_record_too_large_is_the_users_mistake_and_the_slot_goes_on(cluster: Cluster) -> None:
    async with opened(cluster, 1) as log, joined(log, "only") as member:
        polled = await polled_until(member, lambda polled: bool(polled.assigned))
        taken = await member.take(Slot(0))
        small, large = Record(b"small", b"1"), Record(b"large", bytes(9 << 20))
        with pytest.raises(UserError, match="smaller slices"):
            await member.commit(Step(Slot(0), taken.epoch, Position(0), (small, large)), polled.generation)
        await member.commit(Step(Slot(0), taken.epoch, Position(0), (small,)), polled.generation)
    assert results(cluster, 0) == [(b"small", b"1")]


@awaited
async def test_what_is_trimmed_is_gone_and_the_rest_is_read_on(cluster: Cluster) -> None:
    async with opened(cluster, 1) as log:
        await log.append(Topic.SLOTS, Slot(0), [Record(b"k", str(number).encode()) for number in range(10)])
        await log.trim(Slot(0), Position(4))
        with pytest.raises(Conflict, match="position 0 lies before 4"):
            await log.read(Topic.SLOTS, Slot(0), Position(0))
        batch = await log.read(Topic.SLOTS, Slot(0), Position(4))
    assert [entry.position for entry in batch.entries] == [4, 5, 6, 7, 8, 9]


@awaited
async def test_the_number_of_slots_is_checked_and_found_again(cluster: Cluster) -> None:
    with pytest.raises(UserError, match="there is no topic"):
        await KafkaLog.open(cluster)
    async with opened(cluster, 3), opened(cluster, 3):
        log = await KafkaLog.open(cluster)
        assert log.slots == 3
        await log.close()
        with pytest.raises(UserError, match="4 slots were asked for and the topic has 3 partitions"):
            await KafkaLog.create(cluster, 4)
