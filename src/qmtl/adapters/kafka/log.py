"""The log port on Kafka. What the promises rest on stands in SEMANTICS C3-C6 and C9."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from itertools import count

from confluent_kafka import libversion

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.faults import unavailable
from qmtl.adapters.kafka.member import At, KafkaMember, nowhere
from qmtl.adapters.kafka.owner import OwnerThread
from qmtl.adapters.kafka.reading import Reading
from qmtl.adapters.kafka.topics import count_slots, make_topics, trim_inputs
from qmtl.core.errors import Fenced, Unavailable, UserError
from qmtl.core.flow.commit import Batch, End, Position, Record, Slot, Topic
from qmtl.ports.log import Declared

TIMEOUT_SECONDS = 15.0  # of one call of a broker; above the limit of a transaction
DECLARES = frozenset(
    {
        Declared.OPEN_TRANSACTION_HOLDS_READERS,
        Declared.GENERATION_IS_OF_GROUP,
        Declared.POSITIONS_HAVE_GAPS,
        Declared.SEEN_A_MOMENT_LATER,
    }
)
_numbers = count(1)  # of the logs opened by this process


class KafkaLog:
    """Made by `create` or `open`. `timeout`: seconds of one call of a broker. `at`: faults handed in."""

    def __init__(self, cluster: Cluster, slots: int, timeout: float, at: At) -> None:
        self._cluster, self._slots, self._at = cluster, slots, at
        self._reading = Reading(cluster, slots, timeout)
        self._members: list[KafkaMember] = []
        self._appending = asyncio.Lock()
        self._appender: OwnerThread | None = None
        # Of nobody else that lives: two who share an id would fence each other.
        self._append_id = f"{cluster.name}/append/{socket.gethostname()}/{os.getpid()}/{next(_numbers)}"

    @classmethod
    async def create(
        cls, cluster: Cluster, slots: int, *, timeout: float = TIMEOUT_SECONDS, at: At = nowhere
    ) -> KafkaLog:
        """Makes the topics, or checks those that are there. Raises UserError, Unavailable."""
        with unavailable(f"topics of {cluster.name}"):
            await asyncio.to_thread(make_topics, cluster, slots)
        return cls(cluster, slots, timeout, at)

    @classmethod
    async def open(cls, cluster: Cluster, *, timeout: float = TIMEOUT_SECONDS, at: At = nowhere) -> KafkaLog:
        """What `create` has made. Raises UserError, Unavailable."""
        with unavailable(f"topics of {cluster.name}"):
            slots = await asyncio.to_thread(count_slots, cluster)
        return await cls.create(cluster, slots, timeout=timeout, at=at)

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def declares(self) -> frozenset[Declared]:
        return DECLARES

    async def version(self) -> str:
        """Of the library: a broker does not tell its own."""
        return f"Kafka through librdkafka {libversion()[0]}"

    async def append(self, topic: Topic, slot: Slot, records: Sequence[Record]) -> None:
        if topic is Topic.COMMITS:
            raise ValueError(f"only the owner of slot {slot} writes its commit log; commit a step")
        self._reading.check_slot(slot)
        if not records:
            return
        out = {(self._cluster.topic(topic), slot): records}
        async with self._appending:
            try:
                appender = await self._opened_appender()
                await appender.commit(out, None, lambda point: None)
            except (Unavailable, UserError):
                raise  # nothing was written, and the appender is as it was
            except Fenced as fenced:  # its transaction took too long
                self._drop_appender()
                raise Unavailable(str(fenced)) from fenced
            except BaseException:
                self._drop_appender()
                raise

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        return await self._reading.read(topic, slot, start, limit)

    async def end(self, topic: Topic, slot: Slot) -> End:
        return await self._reading.end(topic, slot)

    async def trim(self, slot: Slot, before: Position) -> None:
        self._reading.check_slot(slot)
        with unavailable(f"trimming slot {slot} before {before}"):
            await self._reading.run(trim_inputs, self._cluster, slot, before)

    async def member(self, name: str) -> KafkaMember:
        member = KafkaMember(self._reading, name, self._at)
        with unavailable(f"member {name} joins"):
            await member.join()
        self._members.append(member)
        return member

    async def close(self) -> None:
        """Its members leave."""
        for member in self._members:
            await member.close()
        self._drop_appender()
        await self._reading.close()

    async def _opened_appender(self) -> OwnerThread:
        if self._appender is None:
            opened = OwnerThread(self._cluster, self._append_id, self._reading.timeout)
            try:
                await opened.open()
            except BaseException:
                opened.drop()
                raise
            self._appender = opened
        return self._appender

    def _drop_appender(self) -> None:
        if self._appender is not None:
            self._appender.drop()
            self._appender = None
