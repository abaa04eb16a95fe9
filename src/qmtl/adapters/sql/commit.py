"""The transactions that write records (SEMANTICS C3, SQL). Positions are counted inside them, row by partition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, select, update

from qmtl.adapters.sql.dialect import Dialect, Row
from qmtl.adapters.sql.schema import PARTITIONS, RECORDS, SLOTS
from qmtl.adapters.sql.session import transaction
from qmtl.core.errors import Fenced
from qmtl.core.flow.balance import MemberId
from qmtl.core.flow.commit import STEP_KEY, Epoch, Position, Record, Slot, Step, StepRecord, Taken, Topic
from qmtl.ports.log import Point

Writes = Mapping[tuple[Topic, Slot], Sequence[Record]]
Prepared = list[tuple[int, list[tuple[bytes, bytes]]]]  # keys and values, by partition
PartitionIds = Mapping[tuple[Topic, int], int]
At = Callable[
    [Point, Slot], None
]  # called at every Point, on the connection's thread; tests stop or kill there

OWN = (SLOTS.c.slot == bindparam("of_slot")) & (SLOTS.c.epoch == bindparam("of_epoch"))
FENCE = update(SLOTS).where(OWN).values(position=bindparam("to_position"))
COUNT = (
    update(PARTITIONS)
    .where(PARTITIONS.c.id == bindparam("of_partition"))
    .values(next=PARTITIONS.c.next + bindparam("records"))
    .returning(PARTITIONS.c.next)
)


def commit(connection: Connection, dialect: Dialect, ids: PartitionIds, step: Step, at: At) -> None:
    """Raises Fenced where the slot was taken since; Unknown."""
    writes = prepared(ids, step.writes())
    at(Point.BEGIN, step.slot)
    with transaction(connection, dialect.begin):
        values = {"of_slot": step.slot, "of_epoch": step.epoch, "to_position": step.position}
        if connection.execute(FENCE, values).rowcount != 1:
            raise Fenced(f"slot {step.slot} was taken by another owner: epoch {step.epoch} is over")
        _write(connection, dialect, writes)
        if step.onward:
            dialect.notify(connection)
        at(Point.OPEN, step.slot)
    at(Point.DONE, step.slot)


def append(connection: Connection, dialect: Dialect, ids: PartitionIds, writes: Writes) -> None:
    ready = prepared(ids, writes)
    with transaction(connection, dialect.begin):
        _write(connection, dialect, ready)
        dialect.notify(connection)


def take(
    connection: Connection, dialect: Dialect, ids: PartitionIds, slot: Slot, member: MemberId
) -> Taken | None:
    """Waits for a transaction of the predecessor that is open, and reads what it left. None where the slot is not
    this member's."""
    mine = (SLOTS.c.slot == slot) & (SLOTS.c.owner == member)
    fence = update(SLOTS).where(mine).values(epoch=SLOTS.c.epoch + 1).returning(SLOTS.c.epoch)
    commits = ids[Topic.COMMITS, slot]
    in_commits = (RECORDS.c.partition == commits) & (RECORDS.c.key == STEP_KEY)
    newest = select(RECORDS.c.value).where(in_commits).order_by(RECORDS.c.position.desc()).limit(1)
    with transaction(connection, dialect.begin):
        epoch = connection.execute(fence).scalar_one_or_none()
        if epoch is None:
            return None
        value = connection.execute(newest).scalar_one_or_none()
        end = connection.execute(select(PARTITIONS.c.next).where(PARTITIONS.c.id == commits)).scalar_one()
    step = StepRecord.of(Record(STEP_KEY, value)) if value is not None else None
    return Taken(slot, Epoch(epoch), step, Position(end))


def prepared(ids: PartitionIds, writes: Writes) -> Prepared:
    """All but the positions, before the transaction begins; partitions in the one order that keeps writers from
    waiting for each other in a circle."""
    ready: Prepared = []
    for at in writes:
        if at not in ids:
            raise ValueError(f"slot {at[1]} is none of the {len(ids) // len(Topic)} of this log")
        ready.append((ids[at], [(each.key, each.value) for each in writes[at]]))
    return sorted(ready, key=lambda each: each[0])


def _write(connection: Connection, dialect: Dialect, writes: Prepared) -> None:
    """Counter rows stay locked to the end: whoever writes later commits later (P5)."""
    ready: list[Row] = []
    for partition, rows in writes:
        after = connection.execute(COUNT, {"of_partition": partition, "records": len(rows)}).scalar_one()
        first = after - len(rows)
        ready += [(partition, position, key, value) for position, (key, value) in enumerate(rows, first)]
    if ready:
        dialect.insert(connection, RECORDS, ready)
