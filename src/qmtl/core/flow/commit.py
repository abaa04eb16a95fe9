"""What one atomic commit holds, and what is read back of it (SEMANTICS C1-C5, C9). Values are opaque bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

import msgspec

from qmtl.core.errors import Corrupt

Slot = NewType("Slot", int)  # 0 .. N-1; the same number names its partition in every topic
Epoch = NewType("Epoch", int)  # of a slot's owner; grows with every takeover that committed, the first is 1
Position = NewType("Position", int)  # in one partition; grows in commit order, not always by one


class Topic(StrEnum):
    """All topics have one partition per slot."""

    SLOTS = "slots"  # inputs: all that the slot's state depends on (C6)
    COMMITS = "commits"  # results and step records, written by the slot's owner alone (C5)
    CONTROL = "control"  # side outputs: what others follow


STEP_KEY = (
    b"\x00step"  # of the step record in a commit-log partition; no result's key begins with a zero byte
)


@dataclass(frozen=True, slots=True)
class Record:
    """`value` is never empty: compaction would delete it (C9)."""

    key: bytes
    value: bytes

    def __post_init__(self) -> None:
        if not self.value:
            raise ValueError(
                f"record {self.key!r}: an empty value would be deleted by compaction; send a marker"
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """A record where it was read."""

    position: Position
    record: Record


@dataclass(frozen=True, slots=True)
class Batch:
    """Committed records of one partition in commit order. `next` is where reading goes on, and what a
    step that consumed the whole batch commits as its position; also where `entries` is empty."""

    entries: tuple[Entry, ...]
    next: Position


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The last record of every step in the slot's commit-log partition, under STEP_KEY.

    `position`: the slot's input is consumed up to it, exclusive. `body`: source positions and snapshot manifest.
    """

    epoch: Epoch
    position: Position
    body: bytes = b""

    def record(self) -> Record:
        return Record(STEP_KEY, msgspec.msgpack.encode((self.epoch, self.position, self.body)))

    @staticmethod
    def of(record: Record) -> StepRecord:
        """Raises Corrupt where the value is none of `record`'s."""
        try:
            epoch, position, body = msgspec.msgpack.decode(record.value, type=tuple[int, int, bytes])
        except msgspec.MsgspecError as wrong:
            raise Corrupt(f"step record {record.value[:40]!r} does not decode: {wrong}") from wrong
        return StepRecord(Epoch(epoch), Position(position), body)


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction: everything becomes visible together, or nothing (C2).

    In the commit-log partition of `slot`: `results` in this order, then the step record. In input partitions
    (its own may be among them): `onward`. In the slot's partition of other topics: `side`.
    """

    slot: Slot
    epoch: Epoch
    position: Position
    results: tuple[Record, ...] = ()
    onward: tuple[tuple[Slot, Record], ...] = ()
    side: tuple[tuple[Topic, Record], ...] = ()
    body: bytes = b""

    def __post_init__(self) -> None:
        if any(record.key.startswith(b"\x00") for record in self.results):
            raise ValueError("a result's key begins with a zero byte, which is kept for the step record")
        if any(topic in {Topic.SLOTS, Topic.COMMITS} for topic, _ in self.side):
            raise ValueError("side outputs go to neither slots (send them `onward`) nor commits (`results`)")

    def record(self) -> StepRecord:
        return StepRecord(self.epoch, self.position, self.body)

    def writes(self) -> dict[tuple[Topic, Slot], list[Record]]:
        """All records by partition, partitions in one order for all writers (locks are taken in it)."""
        found: dict[tuple[Topic, Slot], list[Record]] = {}
        found[Topic.COMMITS, self.slot] = [*self.results, self.record().record()]
        for slot, record in self.onward:
            found.setdefault((Topic.SLOTS, slot), []).append(record)
        for topic, record in self.side:
            found.setdefault((topic, self.slot), []).append(record)
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Generation:
    """A member's place in the group at one poll. Taken with a batch, handed back with the step made of it,
    never refreshed in between (C3). `token` is the adapter's own."""

    number: int
    token: object = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """A slot taken over: the predecessor can commit no more, and all it committed is before `end`.

    `epoch`: of this owner's steps, above the last step record's. `step`: the last step record; None where there is
    none. `end`: of the commit-log partition, for reading it up to there before firing anything.
    """

    slot: Slot
    epoch: Epoch
    step: StepRecord | None
    end: Position


@dataclass(frozen=True, slots=True)
class End:
    """Of a partition: readers come up to `visible`; `written` is further while a transaction is open there."""

    visible: Position
    written: Position
