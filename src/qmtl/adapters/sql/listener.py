"""PostgreSQL's notifications, on a connection of their own (a dedicated, direct one)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from qmtl.adapters.sql.wake import CHANNEL, Wake

AGAIN_SECONDS = 1.0


class Listener(Wake):
    """Its socket is watched by the event loop: no thread waits for it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine
        self._connection: Connection | None = None
        self._driver: psycopg.Connection[tuple[object, ...]] | None = None
        self._socket = -1
        self._due = 0.0  # on the loop's clock
        self._starting = asyncio.Lock()

    @property
    def listening(self) -> bool:
        return self._connection is not None

    async def listen(self) -> None:
        """Where the server is away it is tried again a second later; pollers look by themselves until then."""
        loop = asyncio.get_running_loop()
        async with self._starting:
            if self._connection is not None or loop.time() < self._due:
                return
            self._due = loop.time() + AGAIN_SECONDS
            with suppress(DBAPIError):
                self._connection = await loop.run_in_executor(None, self._connect)
        if self._connection is not None:
            driver = self._connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            self._driver, self._socket = driver, driver.fileno()
            loop.add_reader(self._socket, self._readable)

    def _connect(self) -> Connection:
        connection = self._engine.connect()
        connection.exec_driver_sql(f"LISTEN {CHANNEL}")
        return connection

    def _readable(self) -> None:
        assert self._driver is not None
        try:
            self._driver.pgconn.consume_input()
        except psycopg.OperationalError:
            self.close()
            self.tell([""])
            return
        heard = []
        while found := self._driver.pgconn.notifies():
            heard.append(found.extra.decode())
        self.tell(heard)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            with suppress(DBAPIError):
                connection.invalidate()
                connection.close()
