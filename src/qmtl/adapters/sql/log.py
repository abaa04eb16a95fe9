"""The log port in SQL: SQLite or PostgreSQL, by the URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

from sqlalchemy import Engine

from qmtl.adapters.sql import commit, membership, reading
from qmtl.adapters.sql.dialect import Dialect, dialect_of
from qmtl.adapters.sql.member import SqlMember
from qmtl.adapters.sql.schema import create, partition_ids
from qmtl.adapters.sql.session import Session
from qmtl.adapters.sql.wake import Wake
from qmtl.core.flow.commit import Batch, End, Position, Record, Slot, Topic
from qmtl.ports.log import Declared, Point


def nowhere(point: Point, slot: Slot) -> None:
    """No fault at any point."""


class SqlLog:
    """Made by `open`. Reads and appends use a connection of their own, and every member has one."""

    def __init__(
        self,
        engine: Engine,
        dialect: Dialect,
        session: Session,
        slots: int,
        ids: commit.PartitionIds,
        renew_seconds: float,
        at: commit.At,
    ) -> None:
        self._engine, self._dialect, self._session = engine, dialect, session
        self._slots, self._ids, self._at = slots, ids, at
        self._renew_seconds = renew_seconds
        self._wake: Wake = dialect.wake(engine)

    @classmethod
    async def open(
        cls,
        url: str,
        slots: int | None = None,
        *,
        lease_seconds: float = 6.0,
        renew_seconds: float | None = None,
        wall_clock: Callable[[], float] | None = None,
        synchronous: str = "FULL",
        at: commit.At = nowhere,
    ) -> Self:
        """Creates the tables where there are none, with `slots` (8 where None), fixed for life.

        `renew_seconds`: how often a polling member renews, a third of the lease where None. `synchronous`: SQLite's.
        `wall_clock`: instead of the database's own. `at`: called at every Point of a commit, for tests.
        """
        dialect = dialect_of(url, lease_seconds, wall_clock, synchronous)
        engine = dialect.engine()
        session = Session(engine, "qmtl-log")
        try:
            made = await session.run(lambda each: create(each, dialect, slots))
            ids = await session.run(partition_ids)
        except BaseException:
            await session.close()
            raise
        renew = lease_seconds / 3 if renew_seconds is None else renew_seconds
        return cls(engine, dialect, session, made, ids, renew, at)

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def declares(self) -> frozenset[Declared]:
        return self._dialect.declares

    async def version(self) -> str:
        return await self._session.run(self._dialect.version)

    async def append(self, topic: Topic, slot: Slot, records: Sequence[Record]) -> None:
        if topic is Topic.COMMITS:
            raise ValueError(f"only the owner of slot {slot} writes its commit log; commit a step")
        self._partition(topic, slot)
        writes: commit.Writes = {(topic, slot): records}
        await self._session.run(lambda each: commit.append(each, self._dialect, self._ids, writes))

    async def read(self, topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
        partition = self._partition(topic, slot)
        return await self._session.run(lambda each: reading.read(each, partition, start, limit))

    async def end(self, topic: Topic, slot: Slot) -> End:
        partition = self._partition(topic, slot)
        return await self._session.run(lambda each: reading.end(each, partition))

    async def trim(self, slot: Slot, before: Position) -> None:
        partition = self._partition(Topic.SLOTS, slot)
        await self._session.run(lambda each: reading.trim(each, self._dialect, partition, before))

    async def member(self, name: str) -> SqlMember:
        session = Session(self._engine, f"qmtl-log-{name}")
        try:
            joined = await session.run(lambda each: membership.join(each, self._dialect, name))
        except BaseException:
            await session.close()
            raise
        return SqlMember(
            session,
            self._dialect,
            self._ids,
            self._wake,
            joined,
            name,
            renew_seconds=self._renew_seconds,
            at=self._at,
        )

    async def close(self) -> None:
        self._wake.close()
        await self._session.close()
        self._engine.dispose()

    def _partition(self, topic: Topic, slot: Slot) -> int:
        if not 0 <= slot < self._slots:
            raise ValueError(f"slot {slot} is none of the {self._slots} of this log")
        return self._ids[topic, slot]
