"""One partition as Kafka keeps it: records of open transactions are written but hold all readers back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from qmtl.core.errors import Conflict
from qmtl.core.flow.commit import Batch, End, Entry, Position, Record, Slot


class State(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ABORTED = "aborted"


class Partition:
    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._of: list[Transaction] = []  # the transaction of each entry
        self._open: dict[Transaction, Position] = {}  # its first position here
        self._trimmed = self._next = Position(0)

    def write(self, transaction: Transaction, records: Iterable[Record]) -> None:
        self._open.setdefault(transaction, self._next)
        for record in records:
            self._entries.append(Entry(self._next, record))
            self._of.append(transaction)
            self._next = Position(self._next + 1)

    def ended(self, transaction: Transaction) -> None:
        """The mark of its end takes a position too."""
        del self._open[transaction]
        self._next = Position(self._next + 1)

    def end(self) -> End:
        return End(min(self._open.values(), default=self._next), self._next)

    def read(self, start: Position, limit: int) -> Batch:
        if start < self._trimmed:
            raise Conflict(f"position {start} lies before {self._trimmed}, the first one kept")
        visible = self.end().visible
        found: list[Entry] = []
        for at in range(
            bisect_left(self._entries, start, key=lambda entry: entry.position), len(self._entries)
        ):
            entry = self._entries[at]
            if entry.position >= visible:
                break
            if self._of[at].state is State.COMMITTED:
                if len(found) == limit:
                    return Batch(tuple(found), entry.position)
                found.append(entry)
        return Batch(tuple(found), max(start, visible))

    def trim(self, before: Position) -> None:
        before = min(before, self.end().visible)
        at = bisect_left(self._entries, before, key=lambda entry: entry.position)
        del self._entries[:at], self._of[:at]
        self._trimmed = max(self._trimmed, before)


@dataclass(eq=False)
class Transaction:
    """`ends_seconds`: when it is aborted if nobody has ended it; 0 for none."""

    slot: Slot
    ends_seconds: float
    state: State = State.OPEN
    written: list[Partition] = field(default_factory=list)

    def write(self, partition: Partition, records: Iterable[Record]) -> None:
        self.written.append(partition)
        partition.write(self, records)

    def end(self, state: State) -> None:
        self.state = state
        for partition in self.written:
            partition.ended(self)
