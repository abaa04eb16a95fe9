"""The log on PostgreSQL: what only a server with many writers, notifications and restarts can show."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from itertools import count

import psycopg
import pytest
from sqlalchemy import create_engine

from qmtl.adapters.sql.log import SqlLog
from qmtl.adapters.sql.session import Session, transaction
from qmtl.core.errors import Unavailable, Unknown
from qmtl.core.flow.commit import Position, Record, Slot, Step, Topic
from qmtl.ports.log import Point
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.servers import Postgres
from qmtl.testing.contracts.log_world import everything, owner_of_all, patiently, step, until, worker

pytestmark = pytest.mark.server("postgres")
NUMBERS = count()
FIRST, OTHER = Slot(0), Slot(1)
PATIENCE = 20.0
SLEEPING = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction'"""


@asynccontextmanager
async def logs(address, how_many=1, **options):
    """The same log, opened so many times, in a database of its own."""
    name = f"own_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    url = address.rpartition("/")[0] + f"/{name}"
    opened = [await SqlLog.open(url, 4, **options) for _ in range(how_many)]
    try:
        yield url, opened
    finally:
        for log in opened:
            await log.close()


def test_steps_that_send_to_each_other_do_not_wait_in_a_circle(postgres):
    """Four owners, each step of which writes into all four inputs, in an order of its own."""
    rounds = 40

    async def run():
        async with logs(postgres.address, 4) as (_, opened):
            workers = [await worker(log) for log in opened]
            await until(lambda: all(len(each.taken) == 1 for each in workers), *workers, what="one slot each")

            async def commit(each):
                (slot,) = each.taken
                onward = tuple((Slot((slot + at) % 4), Record(b"to", b"%d" % slot)) for at in (3, 1, 2, 0))
                for _ in range(rounds):
                    made = step(slot, each.taken[slot], "crosswise", Position(0))
                    with_all = type(made)(made.slot, made.epoch, made.position, made.results, onward)
                    await each.member.commit(with_all, each.generation)  # a deadlock would be Unavailable

            async with asyncio.TaskGroup() as group:
                for each in workers:
                    group.create_task(commit(each))
            for slot in range(4):
                assert len(await everything(opened[0], Topic.SLOTS, Slot(slot))) == 4 * rounds

    asyncio.run(run())


def test_a_notification_wakes_a_poll_also_after_its_connection_was_lost(postgres, monkeypatch):
    """Looking by itself is turned off here, so only a notification can."""
    monkeypatch.setattr("qmtl.adapters.sql.dialect.Postgres.look_seconds", 60.0)

    async def run():
        async with logs(postgres.address, 2, lease_seconds=600.0) as (url, (log, other)):
            alone = await owner_of_all(log)
            await woken(alone, other)
            ending = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'LISTEN%'"""
            with psycopg.connect(url, autocommit=True) as admin:
                assert admin.execute(ending).fetchone() == (1,)
            async with asyncio.timeout(20):
                await until(lambda: not log._wake.listening, what="the loss is noticed")
                while not log._wake.listening:
                    await log._wake.listen()
                    await asyncio.sleep(0.05)
            await woken(alone, other)

    async def woken(alone, other):
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            polling = group.create_task(alone.member.poll(60.0))
            await until(lambda: log_waits(alone), what="the poll waits")
            group.create_task(other.append(Topic.SLOTS, FIRST, [Record(b"k", b"v")]))
        assert FIRST in polling.result().batches

    def log_waits(alone):
        return bool(alone.member._wake._waiting)

    asyncio.run(run())


def test_a_session_that_sleeps_in_its_transaction_is_ended_before_its_lease_is_over(postgres):
    """Also where the step sends nothing onward, and its last statement is that which writes its records."""
    lease_seconds, ended = 4.0, []

    async def run():
        async with logs(postgres.address, 2, lease_seconds=lease_seconds) as (url, (log, other)):

            def sleep(point, _slot):
                if point is Point.OPEN:
                    since = stopwatch()
                    with psycopg.connect(url, autocommit=True) as admin:
                        while admin.execute(SLEEPING).fetchone() != (0,) and stopwatch() - since < PATIENCE:
                            pass
                    ended.append(stopwatch() - since)

            alone = await owner_of_all(log)
            alone.member._at = sleep
            mine = alone.taken[FIRST]
            with pytest.raises(Unknown):
                await alone.member.commit(
                    Step(FIRST, mine.epoch, Position(0), (Record(b"k", b"v"),)), alone.generation
                )
            assert await everything(other, Topic.COMMITS, FIRST) == []

    asyncio.run(run())
    assert ended[0] < lease_seconds, "so that whoever takes its slots over does not wait for it"


@pytest.mark.slow
def test_what_was_committed_outlives_a_killed_server_and_members_go_on():
    """Unavailable while it is away; nothing is lost or doubled."""

    async def run(server):
        async with logs(server.address, lease_seconds=600.0) as (_, (log,)):
            alone = await owner_of_all(log)
            await alone.commit(FIRST, "before")
            server.kill()
            with pytest.raises(Unavailable):
                await alone.member.poll(0)
            with pytest.raises(Unavailable):
                await alone.commit(FIRST, "away")
            server.start()
            for broken in (alone.poll, log.version):  # the first call on each connection finds out
                await patiently(broken)
            await alone.commit(FIRST, "after")
            results = await everything(log, Topic.COMMITS, FIRST)
            return [each.record.value for each in results if each.record.key == b"result-0"]

    with Postgres() as server:
        assert asyncio.run(run(server)) == [b"before", b"after"]


def test_a_connection_that_the_server_ends_within_a_transaction_is_made_anew(postgres):
    """As its time limit for idle transactions does, where a process gets no processor for so long."""

    def ended(connection):
        with transaction(connection, "BEGIN"):
            connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    async def run():
        engine = create_engine(postgres.address.replace("postgresql://", "postgresql+psycopg://"))
        session = Session(engine, "ended")
        with pytest.raises(Unavailable):
            await session.run(ended)
        assert await session.run(lambda each: each.exec_driver_sql("SELECT 1").scalar_one()) == 1
        await session.close()
        engine.dispose()

    asyncio.run(run())
