"""One member of the group: its consumer, polled in one thread, and what it was given and lost."""

from __future__ import annotations

import math
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.core.errors import Corrupt
from qmtl.core.flow.commit import Batch, Entry, Generation, Position, Record, Slot, Topic
from qmtl.ports.log import Polled

PIECE_SECONDS = 0.05  # an assignment is handed on after at most this long
MAGIC = b"CGMDv2:"  # librdkafka's own form of group metadata: magic, generation, group, member, instance


def generation_of(metadata: bytes) -> Generation:
    """With the metadata as its token, or without one where it names no member, as between two groups: a
    commit with such metadata is checked by no broker (C3). Raises RuntimeError where librdkafka writes
    it in another form, which is not to be guessed at."""
    if not metadata.startswith(MAGIC):
        raise RuntimeError("this librdkafka writes group metadata in an unknown form: use confluent-kafka 2")
    rest = metadata[len(MAGIC) :]
    number = int.from_bytes(rest[:4], "little", signed=True)
    _, member, _ = rest[4:].split(b"\0", 2)
    return Generation(number, metadata if number >= 0 and member else None)


class Membership:
    """All methods are called on one thread, the member's polling thread, and on no other.

    A slot that was assigned is paused until `start`: nothing of it is delivered before its owner
    has taken it over and knows the position to go on from.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._topic = cluster.topic(Topic.SLOTS)
        self._consumer = Consumer(cluster.member())
        self._next: dict[Slot, int] = {}  # of started slots: no message below this offset is wanted
        self._held: list[Message] = []  # came while none was asked for
        self._quiet = False
        self._assigned: set[Slot] = set()  # since the last turn that was told
        self._lost: set[Slot] = set()
        self._failed: KafkaError | None = None
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def turn(self, timeout: float, limit: int) -> Polled:
        """Up to `limit` messages of started slots, or less as soon as slots come or go, or after `timeout`
        seconds. The metadata is taken here, on the thread that alone learns of a slot's loss (C3).

        Raises KafkaException, after what came before the error has been told.
        """
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise KafkaException(failed)
        self.serve(timeout, limit)
        generation = generation_of(self._consumer.consumer_group_metadata())
        told, self._held = self._held[:limit], self._held[limit:]
        polled = Polled(frozenset(self._assigned), frozenset(self._lost), self._batches(told), generation)
        self._assigned, self._lost = set(), set()
        return polled

    def serve(self, timeout: float, limit: int) -> None:
        """As `turn`, and what is learnt is told by the next turn."""
        self._set_quiet(limit == 0)
        for _ in range(max(1, math.ceil(timeout / PIECE_SECONDS))):
            if len(self._held) < limit:
                self._fetch(min(PIECE_SECONDS, timeout), limit - len(self._held))
            else:
                self._fetch(min(PIECE_SECONDS, timeout), 1)
            if (self._held and limit) or self._assigned or self._lost or self._failed:
                return

    def start(self, slot: Slot, position: Position) -> bool:
        """Delivers the slot's records from `position`; False where it is assigned no longer."""
        at = TopicPartition(self._topic, slot, position)
        if slot not in (each.partition for each in self._consumer.assignment()):
            return False
        self._held = [each for each in self._held if each.partition() != slot]
        self._consumer.seek(at)
        if not self._quiet:
            self._consumer.resume([at])
        self._next[slot] = position
        return True

    def stop(self, slot: Slot) -> None:
        """Delivers nothing of the slot until it is started again."""
        if self._next.pop(slot, None) is not None:
            self._consumer.pause([TopicPartition(self._topic, slot)])

    def close(self) -> None:
        """Leaves the group: its slots go to others at once."""
        self._consumer.close()

    def _set_quiet(self, quiet: bool) -> None:
        if quiet != self._quiet:
            self._quiet = quiet
            started = [TopicPartition(self._topic, slot) for slot in self._next]
            (self._consumer.pause if quiet else self._consumer.resume)(started)

    def _fetch(self, timeout: float, most: int) -> None:
        """A batch is waited for no longer than its first message."""
        first = self._consumer.poll(0.0 if self._held else timeout)
        if first is None:
            return
        more = self._consumer.consume(most - 1, 0.0) if most > 1 else []
        self._held += [each for each in (first, *more) if not self._failed_with(each)]

    def _batches(self, messages: Iterable[Message]) -> dict[Slot, Batch]:
        entries: dict[Slot, list[Entry]] = {}
        for message in messages:
            slot, offset = place(message)
            wanted = self._next.get(slot)  # None: it was lost since, or is not started
            if wanted is not None and offset >= wanted:
                self._next[slot] = offset + 1
                entries.setdefault(slot, []).append(entry_of(message))
        return {slot: Batch(tuple(found), Position(self._next[slot])) for slot, found in entries.items()}

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
        self._assigned |= {Slot(each.partition) for each in given}

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = {Slot(each.partition) for each in partitions}
        for slot in gone:
            self._next.pop(slot, None)
        self._lost |= gone - self._assigned  # what came and went was never told
        self._assigned -= gone
        consumer.incremental_unassign(partitions)


def place(message: Message) -> tuple[Slot, int]:
    slot, offset = message.partition(), message.offset()
    assert slot is not None and offset is not None
    return Slot(slot), offset


def entry_of(message: Message) -> Entry:
    value = message.value()
    if not value:
        raise Corrupt(f"{message.topic()} [{message.partition()}] {message.offset()}: a record without value")
    return Entry(Position(place(message)[1]), Record(message.key() or b"", value))
