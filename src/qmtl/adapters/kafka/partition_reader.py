"""What is committed in a partition: read to its end, past transaction markers and compacted gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster

PIECE_SECONDS = 0.5
MOST = 10_000


@dataclass(frozen=True)
class Ends:
    """`stable`: where the committed part ends (all below is decided); `high`: where the partition ends."""

    stable: int
    high: int

    @property
    def lag(self) -> int:
        """Records and markers that readers wait for; it stays above zero while a transaction hangs."""
        return self.high - self.stable


class PartitionReader:
    """Used by one thread at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._consumer = Consumer(cluster.reader())
        self._uncommitted = Consumer(cluster.reader() | {"isolation.level": "read_uncommitted"})

    def ends(self, topic: str, partition: int, timeout: float) -> Ends:
        at = TopicPartition(topic, partition)
        # The end that a consumer is told depends on its isolation. Asked for in this order, so that the
        # second is never below the first.
        _, stable = self._consumer.get_watermark_offsets(at, timeout=timeout)
        _, high = self._uncommitted.get_watermark_offsets(at, timeout=timeout)
        return Ends(stable, high)

    def read(self, topic: str, partition: int, start: int, stop: int, timeout: float) -> Iterator[Message]:
        """The committed records with `start <= offset < stop`, ascending. Offsets have gaps: markers, aborted
        records and what was compacted. Ends at `stop`, or where nothing committed is left below it.

        Raises KafkaException, also where nothing came for `timeout` seconds.
        """
        if start >= stop:
            return
        at = TopicPartition(topic, partition, start)
        self._consumer.assign([at])
        try:
            quiet = 0.0
            while self._position(at, start) < stop:
                messages = self._consumer.consume(MOST, 0.0) or self._piece()
                quiet = 0.0 if messages else quiet + PIECE_SECONDS
                if quiet > timeout:
                    raise KafkaException(
                        KafkaError(KafkaError._TIMED_OUT, f"nothing came of {topic} [{partition}]")
                    )
                for message in messages:
                    error = message.error()
                    if error is None:
                        if _offset(message) >= stop:
                            return
                        yield message
                    elif error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    elif _offset(message) >= stop:
                        return
        finally:
            self._consumer.unassign()

    def close(self) -> None:
        self._consumer.close()
        self._uncommitted.close()

    def _piece(self) -> list[Message]:
        message = self._consumer.poll(PIECE_SECONDS)
        return [] if message is None else [message]

    def _position(self, at: TopicPartition, start: int) -> int:
        """It passes over markers and compacted records without delivering anything."""
        return max(start, self._consumer.position([at])[0].offset)


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset
