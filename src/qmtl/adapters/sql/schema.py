"""The tables, and their versioned creation.

Created and upgraded by numbered steps of our own and not by Alembic: the embedded installation has SQLAlchemy
only, the tables are five, and records of a kind never seen are refused by their number.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    update,
)

from qmtl.adapters.sql.dialect import Dialect
from qmtl.adapters.sql.session import transaction
from qmtl.core.errors import UserError
from qmtl.core.flow.commit import Topic

METADATA = MetaData()

ABOUT = Table(  # one row
    "qmtl_log",
    METADATA,
    Column("version", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
)
MEMBERS = Table(
    "qmtl_log_members",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("expires", Double, nullable=False),  # seconds since 1970, by the clock of the dialect
    sqlite_autoincrement=True,  # an id is never given twice
)
SLOTS = Table(
    "qmtl_log_slots",
    METADATA,
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("owner", Integer),  # a member; one that is in MEMBERS no more owns nothing
    Column("epoch", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
)
PARTITIONS = Table(
    "qmtl_log_partitions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("kept", BigInteger, nullable=False),  # the first position that is kept
    Column("next", BigInteger, nullable=False),  # counted in the transaction that writes (C3)
    UniqueConstraint("topic", "slot"),
)
RECORDS = Table(
    "qmtl_log_records",
    METADATA,
    Column("partition", ForeignKey(PARTITIONS.c.id), primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,  # one tree and not two
)

# UPGRADES[n] brings version n + 1 to n + 2. Tables as they were then are written out in it.
UPGRADES: tuple[Callable[[Connection], None], ...] = ()
VERSION = 1 + len(UPGRADES)


def create(connection: Connection, dialect: Dialect, slots: int | None) -> int:
    """Creates what is missing, upgrades what is old, and answers the number of slots, fixed when created.

    Raises UserError where `slots` is another number than it was created with, or the tables are newer than this.
    """
    with transaction(connection, dialect.begin):
        dialect.lock_schema(connection)
        ABOUT.create(connection, checkfirst=True)
        found = connection.execute(select(ABOUT.c.version, ABOUT.c.slots)).one_or_none()
        if found is None:
            return _create(connection, 8 if slots is None else slots)
        version, created = found
        if version > VERSION:
            raise UserError(
                "the log was written by a newer qmtl", value=f"version {version}", cure="upgrade qmtl here"
            )
        if slots not in {None, created}:
            raise UserError(
                f"the log was created with {created} slots, for life",
                value=slots,
                cure="leave the number out",
            )
        for upgrade in UPGRADES[version - 1 :]:
            upgrade(connection)
        connection.execute(update(ABOUT).values(version=VERSION))
        return int(created)


def _create(connection: Connection, slots: int) -> int:
    METADATA.create_all(connection)
    connection.execute(insert(ABOUT).values(version=VERSION, slots=slots))
    each = range(slots)
    connection.execute(insert(SLOTS), [{"slot": slot, "epoch": 0, "position": 0} for slot in each])
    rows = [{"topic": topic.value, "slot": slot, "kept": 0, "next": 0} for topic in Topic for slot in each]
    connection.execute(insert(PARTITIONS), rows)
    return slots


def partition_ids(connection: Connection) -> dict[tuple[Topic, int], int]:
    rows = connection.execute(select(PARTITIONS.c.topic, PARTITIONS.c.slot, PARTITIONS.c.id))
    return {(Topic(topic), slot): found for topic, slot, found in rows}
