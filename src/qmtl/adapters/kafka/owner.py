"""The transactions of one slot: a producer that whoever takes the slot over fences."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.membership import Generation

COMMIT_ATTEMPTS = 3


class InDoubtError(Exception):
    """The transaction may have become visible or not: the log knows (C4)."""


@dataclass(frozen=True)
class Out:
    """One record of a transaction, as Kafka takes it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] = field(default_factory=list)


class Owner:
    """Used by one thread at a time. After an exception it is of no more use."""

    def __init__(self, cluster: Cluster, slot: int, timeout: float) -> None:
        """Fences the slot's owner before and waits until its open transaction, if any, has ended."""
        self._at, self._timeout = (cluster.slots, slot), timeout
        self._undelivered: KafkaError | None = None
        self._producer = Producer(cluster.owner(slot))
        self._producer.init_transactions(timeout)

    def commit(self, out: Iterable[Out], position: int, generation: Generation) -> None:
        """All of `out` and the slot's next position become visible together, or not at all (C2).

        The offset is sent even when it has not changed: with none, the generation would be checked by nobody
        (C3). Raises KafkaException whose transaction has become visible by no means, `InDoubtError` where that is
        not known.
        """
        if not generation.valid:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "polled between two groups"))
        producer = self._producer
        producer.begin_transaction()
        try:
            offset = TopicPartition(*self._at, position)
            producer.send_offsets_to_transaction([offset], generation.metadata, self._timeout)
            for each in out:
                self._produce(each)
            left = producer.flush(self._timeout)
            if left:
                raise KafkaException(
                    KafkaError(KafkaError._TIMED_OUT, f"{left} records were not acknowledged")
                )
            if self._undelivered is not None:
                raise KafkaException(self._undelivered)
        except KafkaException:
            self._abort()
            raise
        self._end()

    def _produce(self, each: Out) -> None:
        while True:
            try:
                self._producer.produce(
                    each.topic,
                    each.value,
                    each.key,
                    partition=each.partition,
                    headers=each.headers,
                    on_delivery=self._delivered,
                )
            except BufferError:  # the queue is full: wait for room
                self._producer.poll(0.05)
            else:
                return

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._undelivered = error

    def _abort(self) -> None:
        """No commit was asked for, so none can happen: whatever comes of this call, the broker or the next
        owner aborts."""
        with suppress(KafkaException):
            self._producer.abort_transaction(self._timeout)

    def _end(self) -> None:
        for attempt in range(COMMIT_ATTEMPTS):
            try:
                self._producer.commit_transaction(self._timeout)
            except KafkaException as error:
                last = attempt == COMMIT_ATTEMPTS - 1
                if last or not error.args[0].retriable():
                    raise InDoubtError(error) from error
            else:
                return
