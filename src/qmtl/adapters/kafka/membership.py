"""One member of the group: its consumer, polled in one thread, and what it was given and lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster

PIECE_SECONDS = 0.05  # an assignment is handed on after at most this long
MAGIC = b"CGMDv2:"  # librdkafka's own form of group metadata: magic, generation, group, member, instance


@dataclass(frozen=True)
class Generation:
    """The group metadata of one poll, as librdkafka wants it back."""

    number: int
    member: str
    metadata: bytes = field(repr=False)

    @classmethod
    def read(cls, metadata: bytes) -> Generation:
        """Raises RuntimeError where librdkafka writes it in another form: not to be guessed at, since a
        commit with metadata that names nobody is checked by no broker (C3)."""
        if not metadata.startswith(MAGIC):
            raise RuntimeError(
                "this librdkafka writes group metadata in an unknown form: use confluent-kafka 2"
            )
        rest = metadata[len(MAGIC) :]
        _, member, _ = rest[4:].split(b"\0", 2)
        return cls(int.from_bytes(rest[:4], "little", signed=True), member.decode(), metadata)

    @property
    def valid(self) -> bool:
        """Whether it names a member: between two groups it does not, and would be checked by nobody."""
        return self.number >= 0 and bool(self.member)


@dataclass
class Turn:
    """What one turn of the polling thread brought."""

    assigned: list[int]
    lost: list[int]
    messages: dict[int, list[Message]]
    generation: Generation


class Membership:
    """All methods are called on one thread, the member's polling thread, and on no other.

    A slot that was assigned is paused until `start`: nothing of it is delivered before its owner
    has taken it over and knows the position to go on from.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._topic = cluster.slots
        self._consumer = Consumer(cluster.member())
        self._next: dict[int, int] = {}  # slots that were started: no message below this offset is wanted
        self._assigned: list[int] = []
        self._lost: list[int] = []
        self._failed: KafkaError | None = None
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def turn(self, timeout: float, most: int) -> Turn:
        """Up to `most` messages of started slots, or less as soon as slots come or go, or after `timeout`
        seconds. The metadata is taken here, on the thread that alone learns of a slot's loss (C3).

        Raises KafkaException, after what came before the error has been delivered."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise KafkaException(failed)
        messages: list[Message] = []
        pieces = max(1, round(timeout / PIECE_SECONDS))
        for _ in range(pieces):
            first = self._consumer.poll(min(PIECE_SECONDS, timeout))
            if first is not None:
                messages = [first, *self._consumer.consume(most - 1, 0.0)] if most > 1 else [first]
            if messages or self._assigned or self._lost or self._failed:
                break
        generation = Generation.read(self._consumer.consumer_group_metadata())
        by_slot = self._accept(messages)
        assigned, lost = self._assigned, self._lost
        self._assigned, self._lost = [], []
        return Turn(assigned, lost, by_slot, generation)

    def start(self, slot: int, position: int) -> bool:
        """Delivers the slot's records from `position`; False where it is assigned no longer."""
        at = TopicPartition(self._topic, slot, position)
        if slot not in (each.partition for each in self._consumer.assignment()):
            return False
        self._consumer.seek(at)
        self._consumer.resume([at])
        self._next[slot] = position
        return True

    def stop(self, slot: int) -> None:
        """Delivers nothing of the slot until it is started again."""
        if self._next.pop(slot, None) is not None:
            self._consumer.pause([TopicPartition(self._topic, slot)])

    def close(self) -> None:
        """Leaves the group: its slots go to others at once."""
        self._consumer.close()

    def _accept(self, messages: Sequence[Message]) -> dict[int, list[Message]]:
        by_slot: dict[int, list[Message]] = {}
        for message in messages:
            if self._failed_with(message):
                continue
            slot, offset = message.partition(), message.offset()
            assert slot is not None and offset is not None
            wanted = self._next.get(slot)  # None: lost in this very turn, or not started
            if wanted is None or offset < wanted:
                continue
            self._next[slot] = offset + 1
            by_slot.setdefault(slot, []).append(message)
        return by_slot

    def _failed_with(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() != KafkaError._MAX_POLL_EXCEEDED:  # the slots' loss is told by the turn after
            self._failed = error
        return True

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        given = [TopicPartition(each.topic, each.partition, 0) for each in partitions]
        consumer.incremental_assign(given)
        consumer.pause(given)
        self._assigned += [each.partition for each in given]

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for each in partitions:
            self._next.pop(each.partition, None)
            if each.partition in self._assigned:
                self._assigned.remove(each.partition)
            self._lost.append(each.partition)
        consumer.incremental_unassign(partitions)
