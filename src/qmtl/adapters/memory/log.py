"""The log port in memory, in the manner of Kafka: open transactions hold readers, an id per slot fences.

Deterministic: time comes from the clock handed in, chance from nowhere. Faults come in as a value, `cut`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qmtl.adapters.memory.group import Group
from qmtl.adapters.memory.member import Cut, MemoryMember, nowhere
from qmtl.adapters.memory.partition import State
from qmtl.adapters.memory.store import Store
from qmtl.core.flow.commit import Batch, End, Position, Record, Slot, Topic
from qmtl.ports.log import Declared

DECLARES = frozenset(
    {
        Declared.OPEN_TRANSACTION_HOLDS_READERS,
        Declared.GENERATION_IS_OF_GROUP,
        Declared.POSITIONS_HAVE_GAPS,
    }
)


class MemoryLog:
    """`clock` in seconds, from anywhere. All members live in one event loop."""

    def __init__(
        self,
        slots: int,
        clock: Callable[[], float],
        *,
        lease_seconds: float = 6.0,
        transaction_seconds: float = 10.0,
        cut: Cut = nowhere,
        store: Store | None = None,
        group: Group | None = None,
    ) -> None:
        """`store`, `group`: of the caller's making, with times of their own."""
        self._store = Store(slots, clock, transaction_seconds) if store is None else store
        self._group = Group(slots, clock, lease_seconds) if group is None else group
        self._cut = cut

    @property
    def slots(self) -> int:
        return self._store.slots

    @property
    def declares(self) -> frozenset[Declared]:
        return DECLARES

    async def version(self) -> str:
        return "memory"

    async def append(self, topic: Topic, slot: Slot, records: Sequence[Record]) -> None:
        if topic is Topic.COMMITS:
            raise ValueError(f"only the owner of slot {slot} writes its commit log; commit a step")
        transaction = self._store.begin(slot, {(topic, slot): list(records)})
        self._store.end(transaction, State.COMMITTED)

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        return self._store.partition(topic, slot).read(start, limit)

    async def end(self, topic: Topic, slot: Slot) -> End:
        return self._store.partition(topic, slot).end()

    async def trim(self, slot: Slot, before: Position) -> None:
        self._store.partition(Topic.SLOTS, slot).trim(before)

    async def member(self, name: str) -> MemoryMember:
        return MemoryMember(self._store, self._group, name, self._cut)

    async def close(self) -> None:
        """There is nothing to let go of."""
