"""Leases as rows of a table: PostgreSQL or SQLite, by the database's clock. Each call is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    Engine,
    MetaData,
    Table,
    Text,
    case,
    insert,
    select,
    update,
)

from qmtl.adapters.sql.dialect import Dialect, dialect_of
from qmtl.adapters.sql.session import Session, transaction
from qmtl.ports.lease import Token

METADATA = MetaData()
LEASES = Table(
    "qmtl_leases",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("holder", Text),
    Column("token", BigInteger, nullable=False),
    Column("expires", Double, nullable=False),  # seconds since 1970, by the clock of the dialect
)
BUSY_SECONDS = 6.0  # how long a writer waits for another


class SqlLeases:
    """Made by `open`."""

    def __init__(self, engine: Engine, dialect: Dialect, session: Session, names: frozenset[str]) -> None:
        self._engine, self._dialect, self._session, self._names = engine, dialect, session, names

    @classmethod
    async def open(
        cls, url: str, names: Iterable[str], *, wall_clock: Callable[[], float] | None = None
    ) -> Self:
        """Creates what is missing of the table and of the leases `names`. `wall_clock`: instead of the database's."""
        dialect = dialect_of(url, BUSY_SECONDS, wall_clock, "FULL")
        engine, known = dialect.engine(), frozenset(names)
        session = Session(engine, "qmtl-leases")
        try:
            await session.run(lambda each: _create(each, dialect, known))
        except BaseException:
            await session.close()
            raise
        return cls(engine, dialect, session, known)

    async def acquire(self, name: str, holder: str, seconds: float) -> Token | None:
        if name not in self._names:
            raise ValueError(f"there is no lease {name!r}")
        return await self._session.run(lambda each: self._acquire(each, name, holder, seconds))

    async def renew(self, names: Iterable[str], holder: str, seconds: float) -> set[str]:
        mine = LEASES.c.name.in_(list(names)) & (LEASES.c.holder == holder) & self._live()
        later = update(LEASES).where(mine).values(expires=self._dialect.now() + seconds)

        def work(connection: Connection) -> set[str]:
            with transaction(connection, self._dialect.begin):
                return set(connection.execute(later.returning(LEASES.c.name)).scalars())

        return await self._session.run(work)

    async def release(self, names: Iterable[str], holder: str) -> None:
        mine = LEASES.c.name.in_(list(names)) & (LEASES.c.holder == holder)
        free = update(LEASES).where(mine).values(expires=0.0)

        def work(connection: Connection) -> None:
            with transaction(connection, self._dialect.begin):
                connection.execute(free)

        await self._session.run(work)

    async def close(self) -> None:
        await self._session.close()
        self._engine.dispose()

    def _acquire(self, connection: Connection, name: str, holder: str, seconds: float) -> Token | None:
        mine = LEASES.c.holder == holder
        free = (LEASES.c.name == name) & (mine | ~self._live())
        token = LEASES.c.token + case((mine, 0), else_=1)
        taken = {"holder": holder, "token": token, "expires": self._dialect.now() + seconds}
        with transaction(connection, self._dialect.begin):
            found = connection.execute(update(LEASES).where(free).values(taken).returning(LEASES.c.token))
            return found.scalar_one_or_none()

    def _live(self) -> ColumnElement[bool]:
        return LEASES.c.expires > self._dialect.now()


def _create(connection: Connection, dialect: Dialect, names: frozenset[str]) -> None:
    with transaction(connection, dialect.begin):
        dialect.lock_schema(connection)
        LEASES.create(connection, checkfirst=True)
        there = set(connection.execute(select(LEASES.c.name).where(LEASES.c.name.in_(names))).scalars())
        new = [{"name": name, "token": 0, "expires": 0.0} for name in sorted(names - there)]
        if new:
            connection.execute(insert(LEASES), new)
