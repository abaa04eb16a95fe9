"""The logs that the contract is run on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from qmtl.adapters.kafka.cluster import Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.sql.log import SqlLog
from qmtl.core.errors import Unknown
from qmtl.core.flow.commit import Slot
from qmtl.ports.log import Log, Point
from qmtl.testing.contracts.log_world import At, Victim, World

LONG_SECONDS = 30.0  # a member that the test leaves alone for a while keeps its slots
SHORT_SECONDS = 1.0
KAFKA_SLOTS = 4  # each is taken over by a producer of its own


class MemoryWorld:
    lease_seconds = 0.2

    def __init__(self) -> None:
        self._cut: tuple[Point, Slot] | None = None
        self._log: MemoryLog | None = None

    async def open(self, *, short: bool = False) -> Log:
        """There is one; all that its world is asked for are the same."""
        if self._log is None:
            lease = self.lease_seconds if short else LONG_SECONDS
            clock = asyncio.get_running_loop().time
            self._log = MemoryLog(8, clock, lease_seconds=lease, cut=self._is_cut)
        return self._log

    async def cut(self, point: Point, slot: Slot) -> Log:
        self._cut = (point, slot)
        return await self.open()

    async def _is_cut(self, point: Point, slot: Slot) -> bool:
        cut, self._cut = self._cut == (point, slot), None if self._cut == (point, slot) else self._cut
        return cut

    def victim(self, *, short: bool = True) -> Victim | None:
        return None

    async def close(self) -> None:
        pass


class SqlWorld:
    """`cut` raises on the connection's thread, as a lost connection does."""

    lease_seconds = SHORT_SECONDS

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[SqlLog] = []

    async def open(self, *, short: bool = False) -> Log:
        return await self._open(short=short)

    async def _open(self, *, short: bool = False, at: At | None = None) -> SqlLog:
        lease = self.lease_seconds if short else LONG_SECONDS
        found = {"at": at} if at else {}
        self._opened.append(await SqlLog.open(self.url, lease_seconds=lease, renew_seconds=0.2, **found))
        return self._opened[-1]

    async def cut(self, point: Point, slot: Slot) -> Log:
        waiting = [(point, slot)]

        def at(point: Point, slot: Slot) -> None:
            if (point, slot) in waiting:
                waiting.clear()
                self.strike(point)

        return await self._open(at=at)

    def strike(self, point: Point) -> None:
        raise Unknown("the connection broke before the answer")

    def victim(self, *, short: bool = True) -> Victim | None:
        lease = self.lease_seconds if short else LONG_SECONDS
        arguments = {"url": self.url, "lease_seconds": lease, "renew_seconds": 0.2}
        return Victim("qmtl.adapters.sql.log:SqlLog.open", arguments)

    async def close(self) -> None:
        for log in self._opened:
            await log.close()


class PostgresWorld(SqlWorld):
    """A database of its own. Inside a transaction the server ends the session, as when it is restarted."""

    def strike(self, point: Point) -> None:
        if point is not Point.OPEN:
            super().strike(point)
        ending = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND state = %s"""
        with psycopg.connect(self.url, autocommit=True) as other:
            assert other.execute(ending, ["idle in transaction"]).fetchall() == [(True,)]


class KafkaWorld:
    """The lease of a process is the group's session, that of a member who does not poll its longest time between
    polls; neither may be shorter than six seconds. Cut inside, its transaction is left open."""

    lease_seconds = 6.0

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap, self.name = bootstrap, name
        self._opened: list[KafkaLog] = []

    async def open(self, *, short: bool = False) -> Log:
        return await self._open(short=short)

    async def _open(self, *, short: bool = False, at: At | None = None) -> KafkaLog:
        self._opened.append(await kafka_log(self.bootstrap, self.name, short, at))
        return self._opened[-1]

    async def cut(self, point: Point, slot: Slot) -> Log:
        waiting = [(point, slot)]

        def at(point: Point, slot: Slot) -> None:
            if (point, slot) in waiting:
                waiting.clear()
                raise Unknown("the connection broke before the answer")

        return await self._open(at=at)

    def victim(self, *, short: bool = True) -> Victim | None:
        arguments = {"bootstrap": self.bootstrap, "name": self.name, "short": short}
        return Victim("worlds:kafka_log", arguments)

    async def close(self) -> None:
        for log in self._opened:
            await log.close()


async def kafka_log(bootstrap: str, name: str, short: bool, at: At | None = None) -> KafkaLog:
    poll_seconds = KafkaWorld.lease_seconds if short else LONG_SECONDS
    found = {"at": at} if at else {}
    return await KafkaLog.create(Cluster(bootstrap, name, poll_seconds=poll_seconds), KAFKA_SLOTS, **found)


@asynccontextmanager
async def memory() -> AsyncIterator[World]:
    yield MemoryWorld()


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[World]:
    world = SqlWorld(f"sqlite:///{folder / 'log.db'}")
    try:
        yield world
    finally:
        await world.close()


@asynccontextmanager
async def kafka(bootstrap: str, name: str) -> AsyncIterator[World]:
    """Topics of its own."""
    world = KafkaWorld(bootstrap, name)
    try:
        yield world
    finally:
        await world.close()


@asynccontextmanager
async def postgres(address: str, name: str) -> AsyncIterator[World]:
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    world = PostgresWorld(address.rpartition("/")[0] + f"/{name}")
    try:
        yield world
    finally:
        await world.close()
        with psycopg.connect(address, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
