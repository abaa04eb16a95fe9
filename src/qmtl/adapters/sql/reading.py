"""Reading records back. What is visible is committed, by the database's own rules."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select, update

from qmtl.adapters.sql.dialect import Dialect
from qmtl.adapters.sql.schema import PARTITIONS, RECORDS
from qmtl.adapters.sql.session import transaction
from qmtl.core.errors import Conflict
from qmtl.core.flow.commit import Batch, End, Entry, Position, Record


def read(connection: Connection, partition: int, start: Position, limit: int) -> Batch:
    """Raises Conflict where `start` was trimmed away. Positions grow by one, so only a hole makes it ask."""
    rows = (
        select(RECORDS.c.position, RECORDS.c.key, RECORDS.c.value)
        .where(RECORDS.c.partition == partition, RECORDS.c.position >= start)
        .order_by(RECORDS.c.position)
        .limit(limit)
    )
    found = connection.execute(rows).all()
    if not found or found[0].position != start:
        kept = connection.execute(select(PARTITIONS.c.kept).where(PARTITIONS.c.id == partition)).scalar_one()
        if start < kept:
            raise Conflict(f"position {start} lies before {kept}, the first one kept")
    entries = tuple(Entry(Position(at), Record(bytes(key), bytes(value))) for at, key, value in found)
    return Batch(entries, Position(entries[-1].position + 1) if entries else start)


def end(connection: Connection, partition: int) -> End:
    found = connection.execute(select(PARTITIONS.c.next).where(PARTITIONS.c.id == partition)).scalar_one()
    return End(Position(found), Position(found))


def news(connection: Connection, nexts: Mapping[int, Position]) -> list[int]:
    """The partitions that have records at or after these positions."""
    rows = select(PARTITIONS.c.id, PARTITIONS.c.next).where(PARTITIONS.c.id.in_(list(nexts)))
    return [partition for partition, after in connection.execute(rows) if after > nexts[partition]]


def trim(connection: Connection, dialect: Dialect, partition: int, before: Position) -> None:
    of_partition = PARTITIONS.c.id == partition
    with transaction(connection, dialect.begin):
        after, kept = connection.execute(
            select(PARTITIONS.c.next, PARTITIONS.c.kept).where(of_partition)
        ).one()
        first = max(kept, min(before, after))
        connection.execute(update(PARTITIONS).where(of_partition).values(kept=first))
        connection.execute(
            delete(RECORDS).where(RECORDS.c.partition == partition, RECORDS.c.position < first)
        )
