"""Two workers forced onto one slot: stopped, killed and cut off while they work, each bucket is committed once (R1).

All faults of a kind of log come in one life of that log, and what is in it is counted afterwards by readers of their
own: a plain `read_committed` consumer, or plain SQL.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from faults.checks import Found, checked, drained, last_step
from faults.place import Place
from faults.proxy import HOST, Proxy
from faults.servers import Reached, reached
from faults.worker import opened
from faults.workers import Crew, Worker, handed

from qmtl.core.flow.commit import Slot, Topic
from qmtl.ports.log import Log, Point
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.servers import Postgres

SLOT = Slot(0)
PATIENCE_SECONDS = 25.0
AWAY_SECONDS = 2.0  # of the database of leases
LEASE_SECONDS = 1.5  # of the databases; Kafka's session has six, and cannot have less
MARKS = {"sqlite": (), "postgres": pytest.mark.server("postgres"), "kafka": pytest.mark.server("kafka")}


@dataclass
class Beside:
    """A database of leases beside the log, through a cable of its own."""

    url: str
    proxy: Proxy


@pytest.fixture(params=[pytest.param(kind, marks=marks) for kind, marks in MARKS.items()])
def log_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reached]:
    with reached(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def beside(log_of: Reached, request: pytest.FixtureRequest) -> Iterator[Beside | None]:
    """For Kafka: a database has its leases in itself."""
    if log_of.kind != "kafka":
        yield None
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"two_owners_{os.getpid()}"
    with psycopg.connect(server.address, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
    with Proxy(server.ports[0]) as proxy:
        yield Beside(f"postgresql://qmtl@{HOST}:{proxy.port}/{name}", proxy)


@dataclass
class Slots:
    """The one slot, seen from outside."""

    log: Log

    async def epoch(self) -> int:
        step = await last_step(self.log, SLOT)
        return 0 if step is None else int(step.epoch)

    async def steps(self) -> int:
        return int((await self.log.end(Topic.COMMITS, SLOT)).visible)

    async def goes_on(self, after: int, what: str) -> None:
        """An owner of a later epoch makes steps."""
        late = stopwatch() + PATIENCE_SECONDS
        while await self.epoch() <= after:
            assert stopwatch() < late, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
            await asyncio.sleep(0.05)

    async def makes(self, steps: int, what: str) -> None:
        late, before = stopwatch() + PATIENCE_SECONDS, await self.steps()
        while await self.steps() < before + steps:
            assert stopwatch() < late, f"not within {PATIENCE_SECONDS:.0f} s: {what}"
            await asyncio.sleep(0.05)


async def stopped_past_its_lease(slot: Slots, one: Worker, point: Point) -> None:
    epoch = await slot.epoch()
    assert await one.reach(point), "the first worker owns the slot and commits"
    await slot.goes_on(epoch, "the other worker has the slot of one that was stopped")
    one.go_on()


async def killed_inside_its_transaction(slot: Slots, one: Worker) -> None:
    epoch = await slot.epoch()
    assert await one.reach(Point.OPEN), "the worker that took over commits"
    one.kill()
    await slot.goes_on(epoch, "the other worker has the slot of one that was killed")
    one.start()


async def cut_off(slot: Slots, reach: Reached, one: Worker) -> None:
    """It knows of nothing and goes on working, as far as it gets, until its cable is put back."""
    epoch = await slot.epoch()
    assert reach.proxy is not None
    reach.proxy.cut()
    await slot.goes_on(epoch, "the other worker has the slot of one that was cut off")
    assert one.alive()
    reach.proxy.mend()


async def cut_off_from_the_leases(slot: Slots, beside: Beside) -> None:
    """Nobody can renew or get a lease, and the owner goes on all the same."""
    beside.proxy.cut()
    since = stopwatch()
    while stopwatch() < since + AWAY_SECONDS:
        await asyncio.sleep(0.05)
    await slot.makes(5, "the owner goes on without the database of leases")
    beside.proxy.mend()


async def run(
    reach: Reached, beside: Beside | None, place: Place, crew: Crew
) -> tuple[Found, list[dict[str, int]]]:
    log = await opened(reach.url, crew.handed)
    slot, spread = Slots(log), place.spread(1)
    inside = (
        Point.BEGIN if reach.kind == "sqlite" else Point.OPEN
    )  # one stopped inside blocks all, as declared
    try:
        first = crew.worker(reach.url, through=reach.far)
        await slot.goes_on(0, "the first worker has the slot")
        second = crew.worker(reach.url)
        await stopped_past_its_lease(slot, first, inside)
        await killed_inside_its_transaction(slot, second)
        if reach.proxy is not None:
            await cut_off(slot, reach, first)  # on Kafka from the broker, and not from the leases
        if beside is not None:
            await cut_off_from_the_leases(slot, beside)
        await slot.makes(2, "the slot has an owner")
        crew.release()
        late = stopwatch() + PATIENCE_SECONDS
        while not await drained(log, place, spread):
            assert stopwatch() < late, "the work that was left is done"
            await asyncio.sleep(0.05)
        told = [await each.leave() for each in (first, second)]
        return await checked(log, reach.url, place, spread), told
    finally:
        await log.close()


def test_a_slot_that_two_workers_want_has_each_bucket_once(
    log_of: Reached, beside: Beside | None, tmp_path: Path
) -> None:
    place = Place(tmp_path, rows=1200, symbols=("A", "B"), periods=(3, 8)).write()
    given = handed(
        tmp_path,
        slots=1,
        rate=15.0,
        chunk=60,
        lease_seconds=LEASE_SECONDS,
        lease="" if beside is None else beside.url,
    )
    crew = Crew(given)
    try:
        found, told = asyncio.run(run(log_of, beside, place, crew))
    finally:
        crew.end()
    print(found, told)
    assert found.wrong == []
    assert found.takeovers >= (2 if log_of.proxy is None else 3)
    assert found.buckets > 20 * place.rows
    assert found.corrected > 0
    assert (
        told[0]["fenced"] + told[0]["unknown"] + told[0]["unavailable"] > 0
    )  # the first one, when it went on
    assert [each["metrics"].get("commit_duplicate_total", 0.0) for each in told] == [0.0, 0.0]
