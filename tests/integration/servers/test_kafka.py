"""Kafka as qmtl starts it keeps what its transactions promise, and what was committed outlives kill -9."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from qmtl.runtime.servers import Kafka

pytestmark = [pytest.mark.server("kafka"), pytest.mark.slow]

SECONDS = 30


def create(kafka: Kafka, topic: str) -> None:
    client = AdminClient({"bootstrap.servers": kafka.address})
    client.create_topics([NewTopic(topic, 1)])[topic].result(SECONDS)


def transaction(kafka: Kafka, topic: str, *values: str, commit: bool = True) -> None:
    producer = Producer({"bootstrap.servers": kafka.address, "transactional.id": f"{topic}-writer"})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.flush(SECONDS)
    (producer.commit_transaction if commit else producer.abort_transaction)(SECONDS)


def committed(kafka: Kafka, topic: str) -> list[str]:
    """All values of the topic up to its last stable offset."""
    settings = {
        "bootstrap.servers": kafka.address,
        "group.id": f"{topic}-reader",
        "enable.partition.eof": True,
    }
    consumer = Consumer({**settings, "isolation.level": "read_committed"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    while True:
        message = consumer.poll(SECONDS)
        assert message is not None, f"no answer from {kafka.address}"
        if message.error():
            break  # the end of the partition
        found.append(message.value().decode())
    consumer.close()
    return found


def test_what_is_committed_is_read_and_what_is_aborted_is_not(kafka: Kafka) -> None:
    create(kafka, "round-trip")
    transaction(kafka, "round-trip", "aborted", commit=False)
    transaction(kafka, "round-trip", "a", "b")
    assert committed(kafka, "round-trip") == ["a", "b"]


def test_what_is_committed_outlives_kill_9() -> None:
    with Kafka() as kafka:
        create(kafka, "killed")
        transaction(kafka, "killed", "before")
        kafka.kill()
        assert not kafka.alive()
        kafka.start()
        transaction(kafka, "killed", "after")
        assert committed(kafka, "killed") == ["before", "after"]


@pytest.mark.soak
def test_three_brokers_do_without_one() -> None:
    with Kafka(brokers=3) as kafka:
        create(kafka, "three")
        kafka.processes[0].kill()
        assert [process.alive() for process in kafka.processes] == [False, True, True]
        transaction(kafka, "three", "by two")
        kafka.processes[0].start()
        kafka.wait()
        assert committed(kafka, "three") == ["by two"]
