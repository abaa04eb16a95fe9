"""Somebody else's topic, as records that a stream is read from."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.faults import unavailable
from qmtl.core.errors import UserError
from qmtl.ports.records import Written

TIMEOUT_SECONDS = 10.0


class TopicRecords:
    """The only partition of a topic, read outside of any group. Aborted transactions' records are not shown."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        """Raises Unavailable, and UserError for a topic that is not there, or that keeps no one order."""
        self._topic = topic
        self._consumer = Consumer(cluster.reader())
        self._next: int | None = None  # what the consumer brings next
        self._ended = False  # whether that is not written yet
        with unavailable(f"topic {topic}"):
            known = self._consumer.list_topics(topic, timeout=TIMEOUT_SECONDS).topics[topic]
        if known.error is not None or len(known.partitions) != 1:
            self._consumer.close()
            what = "no such topic" if known.error is not None else "a topic whose records have no one order"
            raise UserError(
                what,
                place=self.place,
                value=f"{len(known.partitions)} partitions",
                cure="the events of a stream are read from a topic with one partition",
            )

    @property
    def place(self) -> str:
        return f"topic {self._topic}"

    def read(self, start: int, limit: int) -> tuple[list[Written], int, bool]:
        with unavailable(self.place):
            if self._next != start:
                self._go_to(start)
            found = list[Written]()
            for message in self._consumer.consume(limit, 0.0):
                error, offset = message.error(), message.offset()
                if error is None:
                    assert offset is not None
                    self._ended = False
                    found.append(Written(offset, message.value()))
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._ended = True
                else:
                    self._next = None
                    raise KafkaException(error)
            reached = self._consumer.position([TopicPartition(self._topic, 0)])[0].offset
        self._next = max(start, reached)  # it passes over what is not delivered
        return found, self._next, self._ended

    def _go_to(self, start: int) -> None:
        at = TopicPartition(self._topic, 0)
        first, _ = self._consumer.get_watermark_offsets(at, timeout=TIMEOUT_SECONDS)
        if 0 < start < first:
            raise UserError(
                "records are deleted that were never read",
                place=self.place,
                value=f"{start} to {first}",
                cure="the topic's retention must outlast the longest time without a worker; begin another log",
            )
        self._ended = False
        self._consumer.assign([TopicPartition(self._topic, 0, max(start, first))])
