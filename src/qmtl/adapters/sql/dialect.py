"""What differs between SQLite and PostgreSQL, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from sqlalchemy import (
    Connection,
    Double,
    Engine,
    NullPool,
    Table,
    create_engine,
    event,
    literal,
    literal_column,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.elements import ColumnElement

from qmtl.adapters.sql.wake import CHANNEL, Wake
from qmtl.core.errors import UserError
from qmtl.ports.log import Declared

SCHEMA_LOCK = 0x716D746C  # "qmtl": the number of an advisory lock, released by the transaction's end (C11)

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Dialect(ABC):
    """`wall_clock`: seconds since 1970, in place of the database's own clock."""

    url: URL
    lease_seconds: float
    wall_clock: Callable[[], float] | None

    begin: ClassVar[str]
    clock: ClassVar[str]
    declares: ClassVar[frozenset[Declared]]
    look_seconds: ClassVar[float]  # how often a waiting poll looks by itself

    @abstractmethod
    def engine(self) -> Engine:
        """In autocommit: transactions begin and end by statements of ours, so that it is seen where."""

    @abstractmethod
    def version(self, connection: Connection) -> str: ...

    @abstractmethod
    def lock_schema(self, connection: Connection) -> None:
        """Only one creates or upgrades, to the end of the transaction."""

    @abstractmethod
    def insert(self, connection: Connection, into: Table, rows: Sequence[Row]) -> None:
        """Rows of all columns of the table, in their order."""

    @abstractmethod
    def notify(self, connection: Connection, what: str = "") -> None:
        """Wakes pollers when the transaction commits; `what` as in wake.MEMBERS_CHANGED."""

    @abstractmethod
    def wake(self, engine: Engine) -> Wake: ...

    def now(self) -> ColumnElement[float]:
        if self.wall_clock is not None:
            return literal(self.wall_clock(), Double)
        return literal_column(self.clock, Double)


@dataclass(frozen=True)
class Sqlite(Dialect):
    """Write-ahead log: readers and the one writer do not wait for each other. `synchronous` FULL, so that what
    others have seen survives a power cut; NORMAL survives a killed process only, and costs no fsync a commit.
    A writer waits for the others as long as a lease lasts.
    """

    synchronous: str

    begin = "BEGIN IMMEDIATE"
    clock = "(julianday('now') - 2440587.5) * 86400.0"
    declares = frozenset({Declared.STOPPED_COMMIT_BLOCKS_ALL, Declared.LEASE_BY_WALL_CLOCK})
    look_seconds = 0.02

    def engine(self) -> Engine:
        engine = create_engine(
            self.url,
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"check_same_thread": False, "timeout": self.lease_seconds},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={self.synchronous}")
            cursor.close()

        return engine

    def version(self, connection: Connection) -> str:
        return f"SQLite {connection.exec_driver_sql('SELECT sqlite_version()').scalar_one()}"

    def lock_schema(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE has locked it."""

    def insert(self, connection: Connection, into: Table, rows: Sequence[Row]) -> None:
        """As they are: SQLAlchemy would take each of them apart."""
        names = [each.name for each in into.columns]
        text = f"INSERT INTO {into.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
        connection.exec_driver_sql(text, list(rows))

    def notify(self, connection: Connection, what: str = "") -> None:
        """Pollers look often."""

    def wake(self, engine: Engine) -> Wake:
        return Wake()


@dataclass(frozen=True)
class Postgres(Dialect):
    """A session that sleeps inside its transaction is ended by the server well before the lease is over."""

    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
    clock = "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
    declares = frozenset()
    look_seconds = 0.5  # a notification comes sooner, unless its connection was lost

    def engine(self) -> Engine:
        idle, wait = int(self.lease_seconds * 500), int(self.lease_seconds * 2000)
        options = f"-c idle_in_transaction_session_timeout={idle} -c lock_timeout={wait}"
        return create_engine(
            self.url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
            connect_args={"options": options, "connect_timeout": 10, "application_name": "qmtl"},
        )

    def version(self, connection: Connection) -> str:
        return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"

    def lock_schema(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")

    def insert(self, connection: Connection, into: Table, rows: Sequence[Row]) -> None:
        """One statement over arrays: psycopg sends many in pipeline mode, after which the server does not end
        a session that sleeps in its transaction."""
        columns = {each.name: each.type.compile(dialect=connection.dialect) for each in into.columns}
        arrays = ", ".join(f"%b::{kind}[]" for kind in columns.values())
        text = f"INSERT INTO {into.name} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
        connection.exec_driver_sql(text, tuple(list(column) for column in zip(*rows, strict=True)))

    def notify(self, connection: Connection, what: str = "") -> None:
        connection.exec_driver_sql(f"NOTIFY {CHANNEL}, '{what}'")

    def wake(self, engine: Engine) -> Wake:
        from qmtl.adapters.sql.listener import Listener  # psycopg is an extra

        return Listener(engine)


def dialect_of(
    url: str, lease_seconds: float, wall_clock: Callable[[], float] | None, synchronous: str
) -> Dialect:
    parsed = make_url(url)
    match parsed.get_backend_name():
        case "sqlite" if not parsed.database or parsed.database == ":memory:":
            raise UserError("SQLite in memory has one connection only", value=url, cure="name a file")
        case "sqlite":
            return Sqlite(parsed, lease_seconds, wall_clock, synchronous)
        case "postgresql":
            return Postgres(parsed, lease_seconds, wall_clock)
    raise UserError("no such database", value=url, cure="use sqlite:///FILE or postgresql://HOST/NAME")
