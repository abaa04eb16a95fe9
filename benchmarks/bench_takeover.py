"""How long a slot stands still when its owner is killed on Kafka: from SIGKILL to the next committed step.

Two processes share two slots. One is killed, while it waits or inside an open transaction; the other, which is told of
nothing, polls, takes the slot over and commits a step of it. The broker is the one at KAFKA_BOOTSTRAP_SERVERS, or one
that is started for the run on the same machine.
"""

from __future__ import annotations

import asyncio
import multiprocessing as mp
import os
import sys
import threading
from importlib.util import find_spec
from multiprocessing.synchronize import Event
from time import perf_counter

from figures import Figure, case, show
from harness import console, keep, options
from qmtl.core.errors import Fenced
from qmtl.core.flow.commit import Generation, Position, Record, Slot, Step, Taken
from qmtl.ports.log import Point, Polled

if find_spec("confluent_kafka") is None:
    console.print("skipped: Kafka: there is no module confluent_kafka")
    sys.exit()

from qmtl.adapters.kafka.cluster import SESSION_TIMEOUT_MS, Cluster
from qmtl.adapters.kafka.log import KafkaLog
from qmtl.adapters.kafka.member import KafkaMember
from qmtl.runtime.servers import Kafka

TITLE = "Takeover of a killed owner's slot on Kafka"
WHEN = {"waits": Point.BEGIN, "in a transaction": Point.OPEN}
SESSION_SECONDS = SESSION_TIMEOUT_MS / 1e3
MOST_SECONDS = SESSION_SECONDS + 2.0  # as was asked
PATIENCE_SECONDS = 60.0


class Owner:
    """A member that takes what it is given and commits a step of each of its slots when it is asked to."""

    def __init__(self, member: KafkaMember) -> None:
        self._member = member
        self._generation = Generation(-1)
        self.taken: dict[Slot, Taken] = {}

    async def turn(self) -> None:
        polled: Polled = await self._member.poll(0.05)
        self._generation = polled.generation
        for slot in polled.lost:
            self.taken.pop(slot, None)
        for slot in polled.assigned:
            await self._take(slot)

    async def _take(self, slot: Slot) -> None:
        try:
            self.taken[slot] = await self._member.take(slot)
        except Fenced:
            self.taken.pop(slot, None)

    async def commit(self, slot: Slot) -> bool:
        """Whether it was done; a change of the group refuses a step and the slot is taken again."""
        mine = self.taken[slot]
        position = mine.step.position if mine.step else Position(0)
        try:
            await self._member.commit(
                Step(slot, mine.epoch, position, (Record(b"key", b"value"),)), self._generation
            )
        except Fenced:
            self.taken.pop(slot, None)
            await self._take(slot)
            return False
        return True


def victim(address: str, name: str, point: Point, owns: Event, strike: Event, struck: Event) -> None:
    """Owns a slot; asked to strike, it begins a commit and says so when it is at the point, where it stays."""

    def at(here: Point, _slot: Slot) -> None:
        if here is point and strike.is_set():
            struck.set()
            threading.Event().wait()

    async def live() -> None:
        log = await KafkaLog.open(Cluster(address, name), at=at)
        owner = Owner(await log.member("victim"))
        while True:
            await owner.turn()
            done = [await owner.commit(slot) for slot in list(owner.taken)]
            if len(done) == 1 and all(done):
                owns.set()

    asyncio.run(live())


async def takeover(address: str, name: str, point: Point) -> tuple[float, float]:
    """Seconds from SIGKILL to the slot's being taken, and to a step of it."""
    log = await KafkaLog.create(Cluster(address, name), 2)
    other = Owner(await log.member("other"))
    spawn = mp.get_context("spawn")
    owns, strike, struck = spawn.Event(), spawn.Event(), spawn.Event()
    process = spawn.Process(target=victim, args=(address, name, point, owns, strike, struck), daemon=True)
    process.start()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (owns.is_set() and len(other.taken) == 1):
                await other.turn()
            strike.set()
            while not struck.is_set():
                await other.turn()
            process.kill()
            begin = perf_counter()
            while len(other.taken) < 2:
                await other.turn()
            taken = perf_counter() - begin
            while not all([await other.commit(slot) for slot in list(other.taken)]):
                await other.turn()
            return taken, perf_counter() - begin
    finally:
        process.kill()
        process.join()
        await log.close()


def main() -> None:
    given = options(tuple(WHEN), __doc__)
    address, started = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""), None
    if not address:
        started = Kafka()
        started.start()
        address = started.address
    cases: dict[str, object] = {}
    try:
        for number, when in enumerate(given.sizes):
            name = f"takeover-{os.getpid()}-{number}"
            rounds = [
                asyncio.run(takeover(address, f"{name}-{turn}", WHEN[when])) for turn in range(given.rounds)
            ]
            taken, committed = (sorted(each) for each in zip(*rounds, strict=True))
            figures = {
                "until it is taken, median": Figure(taken[len(taken) // 2], "s"),
                "until a step of it is committed, median": Figure(committed[len(committed) // 2], "s"),
                "the longest": Figure(committed[-1], "s", MOST_SECONDS),
            }
            label = f"killed while it {when}" if when == "waits" else f"killed {when}"
            show(f"{TITLE}: {label}", figures)
            cases[label] = case(figures, session=SESSION_SECONDS, seconds=committed)
    finally:
        if started is not None:
            started.stop()
    keep("takeover", TITLE, cases, given)


if __name__ == "__main__":
    main()
