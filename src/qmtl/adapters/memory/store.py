"""What a broker keeps: partitions, open transactions, and for every slot the number of its latest owner."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qmtl.adapters.memory.partition import Partition, State, Transaction
from qmtl.adapters.memory.wake import Wake
from qmtl.core.flow.commit import Record, Slot, Topic


class Store:
    def __init__(self, slots: int, clock: Callable[[], float], transaction_seconds: float) -> None:
        self.slots, self.changed = slots, Wake()
        self._clock, self._transaction_seconds = clock, transaction_seconds
        self._partitions = {(topic, Slot(slot)): Partition() for topic in Topic for slot in range(slots)}
        self._open: list[Transaction] = []
        self._fences = dict.fromkeys(range(slots), 0)

    def partition(self, topic: Topic, slot: Slot) -> Partition:
        """As a reader finds it now: transactions that took too long are aborted first."""
        if not 0 <= slot < self.slots:
            raise ValueError(f"slot {slot} is none of the {self.slots} of this log")
        now = self._clock()
        for each in [each for each in self._open if each.ends_seconds <= now]:
            self.end(each, State.ABORTED)
        return self._partitions[topic, slot]

    @property
    def open(self) -> int:
        """How many transactions are."""
        return len(self._open)

    def fence(self, slot: Slot) -> int:
        """A number that only the latest owner of the slot has; what its predecessor left open is aborted."""
        self._fences[slot] += 1
        for each in [each for each in self._open if each.slot == slot]:
            self.end(each, State.ABORTED)
        return self._fences[slot]

    def is_fenced(self, slot: Slot, fence: int) -> bool:
        return self._fences[slot] != fence

    def begin(self, slot: Slot, writes: Mapping[tuple[Topic, Slot], list[Record]]) -> Transaction:
        partitions = [(self.partition(*at), records) for at, records in writes.items()]
        transaction = Transaction(slot, self._clock() + self._transaction_seconds)
        self._open.append(transaction)
        for partition, records in partitions:
            transaction.write(partition, records)
        return transaction

    def end(self, transaction: Transaction, state: State) -> None:
        """Of no effect on one that has ended already."""
        if transaction.state is State.OPEN:
            self._open.remove(transaction)
            transaction.end(state)
            self.changed.tell()

    def has_ended(self, transaction: Transaction) -> bool:
        if transaction.ends_seconds <= self._clock():
            self.end(transaction, State.ABORTED)
        return transaction.state is not State.OPEN
