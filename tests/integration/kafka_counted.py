"""What tests of the log on Kafka share: open and close it, wait for a condition, count what is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps

from confluent_kafka import Consumer, KafkaError, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.adapters.kafka.member import KafkaMember
from qmtl.core.flow.commit import STEP_KEY, Topic
from qmtl.ports.log import Polled

PATIENCE = 30.0  # seconds until a condition must hold


def awaited(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(**fixtures: object) -> None:
        asyncio.run(test(**fixtures))

    return run


@asynccontextmanager
async def opened(cluster: Cluster, slots: int, **options: object) -> AsyncIterator[KafkaLog]:
    log = await KafkaLog.create(cluster, slots, **options)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def joined(log: KafkaLog, name: str) -> AsyncIterator[KafkaMember]:
    member = await log.member(name)
    try:
        yield member
    finally:
        await member.close()


async def polled_until(member: KafkaMember, enough: Callable[[Polled], bool]) -> Polled:
    async with asyncio.timeout(PATIENCE):
        while True:
            polled = await member.poll(0.5)
            if enough(polled):
                return polled


def now() -> float:
    return asyncio.get_running_loop().time()


def visible(cluster: Cluster, topic: Topic, slot: int) -> list[tuple[bytes, bytes]]:
    """Everything that is committed in a partition, read by a consumer that shares no code with the log."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": "independent",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(cluster.topic(topic), slot, 0)])
    found = []
    try:
        while True:
            message = consumer.poll(PATIENCE)
            assert message is not None, "the broker gives no answer"
            if message.error() is not None:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                return found
            found.append((message.key(), message.value()))
    finally:
        consumer.close()


def results(cluster: Cluster, slot: int) -> list[tuple[bytes, bytes]]:
    return [record for record in visible(cluster, Topic.COMMITS, slot) if record[0] != STEP_KEY]
