"""Reading on a thread of its own: librdkafka's calls block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.faults import unavailable
from qmtl.adapters.kafka.partition_reader import PartitionReader
from qmtl.core.flow.commit import Batch, End, Entry, Position, Slot, Topic

P = ParamSpec("P")
T = TypeVar("T")


class Reading:
    """`timeout`: seconds of one call of a broker."""

    def __init__(self, cluster: Cluster, slots: int, timeout: float) -> None:
        self.cluster, self.slots, self.timeout = cluster, slots, timeout
        self._thread = ThreadPoolExecutor(1, "log-read")
        self._reader: PartitionReader | None = None

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        self.check_slot(slot)
        with unavailable(f"reading {topic} of slot {slot}"):
            return await self.run(self._read, self.cluster.topic(topic), slot, start, limit)

    async def entries(
        self, topic: Topic, slot: Slot, start: Position, before: Position
    ) -> AsyncIterator[Entry]:
        """All with `start <= position < before`."""
        while start < before:
            batch = await self.read(topic, slot, start)
            for entry in batch.entries:
                if entry.position < before:
                    yield entry
            start = batch.next

    async def end(self, topic: Topic, slot: Slot) -> End:
        self.check_slot(slot)
        with unavailable(f"the end of {topic} of slot {slot}"):
            return await self.run(self._end, self.cluster.topic(topic), slot)

    async def close(self) -> None:
        await self.run(self._close)
        self._thread.shutdown(wait=False)

    def check_slot(self, slot: Slot) -> None:
        if not 0 <= slot < self.slots:
            raise ValueError(f"slot {slot} is none of the {self.slots} of this log")

    def run(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        asked = partial(what, *args, **kwargs)
        return asyncio.get_running_loop().run_in_executor(self._thread, asked)

    def _read(self, topic: str, slot: Slot, start: Position, limit: int) -> Batch:
        return self._opened().read(topic, slot, start, limit)

    def _end(self, topic: str, slot: Slot) -> End:
        return self._opened().end(topic, slot)

    def _opened(self) -> PartitionReader:
        if self._reader is None:
            self._reader = PartitionReader(self.cluster, self.timeout)
        return self._reader

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
