"""What is committed in a partition, read past transaction markers, aborted records and compacted gaps."""

from __future__ import annotations

from threading import Event

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.membership import entry_of
from qmtl.core.errors import Conflict
from qmtl.core.flow.commit import Batch, End, Entry, Position

PIECE_SECONDS = 0.2
PAUSE_SECONDS = 0.1
MOVING = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})


class PartitionReader:
    """Used by one thread at a time."""

    def __init__(self, cluster: Cluster, timeout: float) -> None:
        self._timeout = timeout
        self._consumer = Consumer(cluster.reader())
        self._uncommitted = Consumer(cluster.reader() | {"isolation.level": "read_uncommitted"})
        self._stands: tuple[str, int, Position] | None = (
            None  # topic, partition, what the consumer brings next
        )

    def end(self, topic: str, partition: int) -> End:
        """The end that a consumer is told depends on its isolation. `written` is asked for last, so that
        it is never below `visible`."""
        at = TopicPartition(topic, partition)
        _, visible = self._offsets(self._consumer, at)
        _, written = self._offsets(self._uncommitted, at)
        return End(Position(visible), Position(written))

    def read(self, topic: str, partition: int, start: Position, limit: int) -> Batch:
        """From `start` to the committed end, at most `limit` records. Offsets have gaps. `next` lies behind
        what can hold no more committed record. Raises KafkaException, also where nothing comes in time."""
        first, visible = self._offsets(self._consumer, TopicPartition(topic, partition))
        if start < first:
            raise Conflict(f"{topic} [{partition}]: position {start} lies before {first}, the first one kept")
        if start >= visible or limit <= 0:
            return Batch((), start)
        entries, self._stands = self._up_to(visible, limit, self._go_to(topic, partition, start))
        return Batch(tuple(entries), self._stands[2])

    def _offsets(self, consumer: Consumer, at: TopicPartition) -> tuple[int, int]:
        """First offset and end. A partition that was just made, or whose leader changes, is asked again."""
        for _ in range(int(self._timeout / PAUSE_SECONDS)):
            try:
                return consumer.get_watermark_offsets(at, timeout=self._timeout)
            except KafkaException as error:
                if error.args[0].code() not in MOVING:
                    raise
                Event().wait(PAUSE_SECONDS)
                consumer.list_topics(at.topic, timeout=self._timeout)  # who leads it now
        return consumer.get_watermark_offsets(at, timeout=self._timeout)

    def close(self) -> None:
        self._consumer.close()
        self._uncommitted.close()

    def _go_to(self, topic: str, partition: int, start: Position) -> tuple[str, int, Position]:
        """Who reads on pays for no new start."""
        wanted = (topic, partition, start)
        if self._stands != wanted:
            self._consumer.assign([TopicPartition(*wanted)])
        self._stands = None  # until it is known again: an exception leaves it anywhere
        return wanted

    def _up_to(
        self, visible: int, limit: int, at: tuple[str, int, Position]
    ) -> tuple[list[Entry], tuple[str, int, Position]]:
        topic, partition, position = at
        entries: list[Entry] = []
        quiet = 0.0
        while position < visible and len(entries) < limit:
            messages = self._messages(limit - len(entries))
            quiet = 0.0 if messages else quiet + PIECE_SECONDS
            if quiet > self._timeout:
                late = KafkaError(KafkaError._TIMED_OUT, f"nothing came of {topic} [{partition}] {position}")
                raise KafkaException(late)
            entries += [entry_of(message) for message in messages if not _is_end(message)]
            reached = self._consumer.position([TopicPartition(topic, partition)])[0].offset
            position = Position(max(position, reached))  # it passes over what is not delivered
        return entries, (topic, partition, position)

    def _messages(self, most: int) -> list[Message]:
        first = self._consumer.poll(PIECE_SECONDS)
        if first is None:
            return []
        return [first, *(self._consumer.consume(most - 1, 0.0) if most > 1 else [])]


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return True
