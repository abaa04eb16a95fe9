"""Leases on SQLite and PostgreSQL: one holder, tokens that grow with it, and what a worker makes of them (R1)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.sql.leases import SqlLeases
from qmtl.core.errors import Unavailable
from qmtl.core.flow.commit import Epoch, Generation, Position, Slot, Step
from qmtl.ports.lease import lease_name
from qmtl.ports.log import Polled
from qmtl.runtime.worker.leased import LeasedLog, LeasedMember
from qmtl.runtime.worker.reading import read_all
from qmtl.runtime.worker.worker import Worker

from unit.worker.test_worker import Laid, idle

NUMBERS = count()
SLOTS = 4


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=("sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/leases.sqlite"
        return
    server, name = request.getfixturevalue("postgres"), f"leases_{os.getpid()}_{next(NUMBERS)}"
    with psycopg.connect(server.address, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    yield f"{server.address.rpartition('/')[0]}/{name}"


def run(url: str, promise: Callable[[SqlLeases, SqlLeases, Clock], Awaitable[None]]) -> None:
    async def main() -> None:
        clock = Clock()
        one = await SqlLeases.open(url, ["a", "b"], wall_clock=clock)
        two = await SqlLeases.open(url, ["b", "a", "c"], wall_clock=clock)
        await promise(one, two, clock)
        await one.close()
        await two.close()

    asyncio.run(main())


def test_a_lease_has_one_holder_until_it_runs_out(url: str) -> None:
    async def promise(one: SqlLeases, two: SqlLeases, clock: Clock) -> None:
        assert await one.acquire("a", "first", 6.0) == 1
        assert await two.acquire("a", "second", 6.0) is None
        assert await two.acquire("b", "second", 6.0) == 1
        clock.now += 4.0
        assert await one.renew(["a", "b"], "first", 6.0) == {"a"}
        clock.now += 4.0
        assert await two.acquire("a", "second", 6.0) is None
        clock.now += 2.5
        assert await two.acquire("a", "second", 6.0) == 2
        assert await one.renew(["a"], "first", 6.0) == set()
        assert await one.acquire("a", "first", 6.0) is None

    run(url, promise)


def test_a_token_grows_with_the_holder_alone(url: str) -> None:
    async def promise(one: SqlLeases, two: SqlLeases, clock: Clock) -> None:
        assert await one.acquire("a", "first", 6.0) == 1
        assert await one.acquire("a", "first", 6.0) == 1
        await one.release(["a", "b"], "first")
        assert await two.acquire("a", "second", 6.0) == 2
        await one.release(["a"], "first")  # not its own any more
        assert await one.acquire("a", "first", 6.0) is None
        with pytest.raises(ValueError, match="there is no lease"):
            await one.acquire("c", "first", 6.0)

    run(url, promise)


def test_many_that_want_a_lease_at_once_get_it_once(url: str) -> None:
    async def main() -> None:
        opened = [await SqlLeases.open(url, ["a"]) for _ in range(6)]
        found = await asyncio.gather(
            *(each.acquire("a", f"holder {n}", 60.0) for n, each in enumerate(opened))
        )
        assert sorted(found, key=str) == [1, *[None] * 5]
        for each in opened:
            await each.close()

    asyncio.run(main())


@pytest.fixture(scope="module")
def laid() -> Laid:
    return Laid(SLOTS, 200)


class Away:
    """Leases that cannot be reached."""

    async def acquire(self, name: str, holder: str, seconds: float) -> None:
        raise Unavailable("down")

    async def renew(self, names: Any, holder: str, seconds: float) -> set[str]:
        raise Unavailable("down")

    async def release(self, names: Any, holder: str) -> None:
        raise Unavailable("down")

    async def close(self) -> None: ...


class Silent(Away):
    """Leases whose answers are lost on the way; `asked`: how often they were wanted."""

    def __init__(self) -> None:
        self.asked = 0

    async def acquire(self, name: str, holder: str, seconds: float) -> None:
        self.asked += 1
        await asyncio.get_running_loop().create_future()

    async def renew(self, names: Any, holder: str, seconds: float) -> set[str]:
        self.asked += 1
        return await asyncio.get_running_loop().create_future()

    async def release(self, names: Any, holder: str) -> None:
        await self.renew(names, holder, 0.0)


class Stuck:
    """A member whose commits get no answer."""

    async def poll(self, timeout: float, limit: int = 1000) -> Polled:
        return Polled(frozenset({Slot(0)}), frozenset(), {}, Generation(1))

    async def commit(self, step: Step, generation: Generation) -> None:
        await asyncio.get_running_loop().create_future()

    async def heartbeat(self) -> None: ...


def test_workers_that_hold_leases_commit_what_a_backtest_computes(laid: Laid, tmp_path: Path) -> None:
    """Two of them; the second one waits for the leases of one that was killed and never let go."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        log = MemoryLog(SLOTS, loop.time, lease_seconds=30.0)
        names = [lease_name("own", Slot(slot)) for slot in range(SLOTS)]
        leases = await SqlLeases.open(f"sqlite:///{tmp_path}/leases.sqlite", names)
        assert await leases.acquire(names[1], "killed", 0.7) == 1
        leased = LeasedLog(log, leases, "own", loop.time, 5.0)
        workers = [Worker(leased, laid.spread, laid.feeds, f"worker {n}", 0.05) for n in range(2)]
        since = loop.time()
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker.run(idle(25)))
        assert loop.time() - since > 0.7
        laid_out = await read_all(log)
        assert laid_out.wrong == []
        assert {len(worker.counts.slots) > 0 for worker in workers} == {True}
        assert len(laid_out.epochs) == SLOTS
        token = await leases.acquire(names[1], "after", 6.0)
        assert token is not None and token >= 3  # they let go of what they held
        await leases.close()

    asyncio.run(main())


@pytest.mark.parametrize("leases", [Away(), Silent()], ids=["away", "silent"])
def test_a_worker_goes_on_where_the_database_of_leases_is_away(laid: Laid, leases: Away) -> None:
    """The log is what is safe; a lock that only saves work does not stop it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        log = MemoryLog(SLOTS, loop.time, lease_seconds=30.0)
        worker = Worker(LeasedLog(log, leases, "own", loop.time, 1.0), laid.spread, laid.feeds, "one", 0.05)
        await worker.run(idle(6))
        found = await read_all(log)
        assert found.wrong == []
        assert len(found.epochs) == SLOTS

    asyncio.run(main())


def test_a_lease_runs_out_while_a_commit_gets_no_answer(tmp_path: Path) -> None:
    """Its holder still reaches the database, and the log knows another owner."""

    async def main() -> None:
        loop, seconds = asyncio.get_running_loop(), 0.4
        leases = await SqlLeases.open(f"sqlite:///{tmp_path}/leases.sqlite", [lease_name("own", Slot(0))])
        stuck = LeasedMember(Stuck(), leases, "own", "stuck", loop.time, seconds)
        other = LeasedMember(Stuck(), leases, "own", "other", loop.time, seconds)
        assert (await stuck.poll(0.0)).assigned == {0}
        assert (await other.poll(0.0)).assigned == set()
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            committing = group.create_task(stuck.commit(Step(Slot(0), Epoch(1), Position(0)), Generation(1)))
            while not (await other.poll(0.0)).assigned:
                await stuck.heartbeat()
            committing.cancel()
        await leases.close()

    asyncio.run(main())
