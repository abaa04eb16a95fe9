"""One connection and the one thread that uses it; the driver's errors in the words of the port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError

from qmtl.core.errors import Corrupt, Unavailable, Unknown

Found = TypeVar("Found")


class Session:
    """Connects when first used, and again after a fault. Calls wait for each other."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], Found]) -> Found:
        """Raises Unavailable where nothing was done or `work` may be repeated, Unknown (see `transaction`)."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Connection], Found]) -> Found:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            return work(self._connection)
        except Unknown:
            self._drop()
            raise
        except DBAPIError as error:
            self._drop()
            fault = translated(error)
            if fault is None:
                raise
            raise fault from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):
                connection.invalidate()
                connection.close()

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)
        self._thread.shutdown()


@contextmanager
def transaction(connection: Connection, begin: str) -> Iterator[None]:
    """All statements inside become visible together. Raises Unknown where the last one, COMMIT, fails."""
    connection.exec_driver_sql(begin)
    try:
        yield
    except BaseException:
        if not connection.invalidated:  # else the server has ended it, and the transaction with it
            with suppress(DBAPIError):
                connection.exec_driver_sql("ROLLBACK")
        raise
    try:
        connection.exec_driver_sql("COMMIT")
    except DBAPIError as error:
        raise Unknown(f"the answer to COMMIT was lost: {error.orig}") from error


def translated(error: DBAPIError) -> Unavailable | Corrupt | None:
    """None for what no retry and no other disk mends: a bug."""
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return Unavailable(f"the database is away or busy: {error.orig}")
    if type(error) is DatabaseError:  # SQLite: malformed, or no database at all
        return Corrupt(f"the database is damaged: {error.orig}")
    return None
