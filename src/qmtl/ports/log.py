"""The transactional log: slots, their owners, and one atomic commit per step (SEMANTICS C1-C6, C9).

Promises, proven for every adapter by `qmtl.testing.contracts.log`; what an adapter cannot do it `declares`.

 P1  Atomic. All of a Step becomes visible to every reader together, or none of it ever does.
 P2  Fenced when written. When `take(slot)` has returned, no step made under an earlier take of that slot becomes
     visible any more, whoever made it, however long its process slept; its commit raises Fenced (or Unknown).
 P3  Takeover reads everything. `take` knows the outcome of all earlier steps: `step` is the last one of them, all
     results are before `end`; `epoch` is above its epoch, and above that of any earlier take by this member.
 P4  Epochs never decrease in the order of a commit-log partition; only the slot's owner writes it.
 P5  Readers see committed records only, each once, in one order that is the same for all; a position at or before
     which a reader has read never gains a record later. Any position kept can be read again.
 P6  A slot has one owner: members that live share all slots fairly (counts differ by one at most) and few move; a
     slot is `assigned` to somebody else only after its owner said `lost`, closed, or has not renewed for
     the lease. This only saves double work; safety is P2.
 P7  Unknown is rare and honest: the step is visible as a whole or never, and a later `take` tells which.
     After Unavailable nothing of the step is or becomes visible and the same step may be committed again.
 P8  After Fenced or Unknown a slot is not delivered nor committed by this member until it is taken again (C4).
 P9  A step made of a batch polled before the slot was lost is refused, also where the member polled since.
 P10 Nobody waits for ever: a stopped or killed process holds neither an owner nor a reader longer than the
     lease and the transaction's time limit, unless declared.

Calls raise Unavailable where the servers are away, ValueError for a slot that is none. All times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from qmtl.core.flow.commit import Batch, End, Generation, Position, Record, Slot, Step, Taken, Topic


class Declared(Enum):
    """What an adapter does otherwise than others may be expected to; never a matter of safety."""

    STOPPED_COMMIT_BLOCKS_ALL = (
        "a process stopped inside its transaction blocks every commit until it goes on or dies"
    )
    LEASE_BY_WALL_CLOCK = "leases are measured by this machine's wall clock; a jump of it moves slots in vain"
    OPEN_TRANSACTION_HOLDS_READERS = "readers of a partition wait behind its oldest open transaction"
    GENERATION_IS_OF_GROUP = (
        "any change of membership refuses steps polled before it, also those of slots that stay"
    )
    SEEN_A_MOMENT_LATER = (
        "a commit that has returned is certain, and visible to readers some milliseconds later"
    )
    POSITIONS_HAVE_GAPS = "positions grow by more than one where transactions ended"


class Point(Enum):
    """Where a commit can be cut, for faults handed in."""

    BEGIN = "before the transaction begins"
    OPEN = "everything is written, nothing is visible yet"
    DONE = "it is visible, the caller does not know yet"


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll brought. First drop what is `lost`, then take what is `assigned`.

    `batches`: of slots taken, none of them empty; `generation` goes into the commit of steps made of them.
    """

    assigned: frozenset[Slot]
    lost: frozenset[Slot]
    batches: Mapping[Slot, Batch]
    generation: Generation


class Member(Protocol):
    """One process's part in the group. Its methods are called by one task, `heartbeat` also by another."""

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        """Waits until there is news or `timeout` has passed; renews the membership.

        At most `limit` records; with 0 only news of the membership, which is how back-pressure is
        kept. A slot's first batch begins where its last step ended; a batch not committed is not delivered again,
        unless the slot is taken again.
        """
        ...

    async def take(self, slot: Slot) -> Taken:
        """P2, P3. Fences the predecessor first, then reads. Raises Fenced where the slot is not this member's."""
        ...

    async def commit(self, step: Step, generation: Generation) -> None:
        """P1. The first thing it does checks the epoch, the last makes the step visible.

        Raises Fenced, Unknown, Unavailable (P7, P8).
        """
        ...

    async def heartbeat(self) -> None:
        """Renews the membership while a step takes long. What it learns is told by the next poll."""
        ...

    async def close(self) -> None:
        """Leaves: its slots are free at once. Calling it twice is no error."""
        ...


class Log(Protocol):
    """Opened on what was created once, with its number of slots, for life."""

    @property
    def slots(self) -> int: ...

    @property
    def declares(self) -> frozenset[Declared]: ...

    async def version(self) -> str:
        """Of the server or library behind it, to be printed: `PostgreSQL 18.6`."""
        ...

    async def append(self, topic: Topic, slot: Slot, records: Sequence[Record]) -> None:
        """For those who own no slot: all of `records` in this order, together or not at all.

        Raises Unknown, Unavailable; ValueError for COMMITS (C5).
        """
        ...

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        """Committed records at and after `start` (P5), at most `limit`; empty where there are none yet.

        Raises Conflict where `start` lies before what `trim` has left: the state of a snapshot is needed instead.
        """
        ...

    async def end(self, topic: Topic, slot: Slot) -> End: ...

    async def trim(self, slot: Slot, before: Position) -> None:
        """Inputs of the slot before this position are needed no more (C8)."""
        ...

    async def member(self, name: str) -> Member:
        """Joins the group; `name` is for people, each call is a member of its own."""
        ...

    async def close(self) -> None: ...
