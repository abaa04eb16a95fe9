"""A run of worker processes under faults, and what is in its log afterwards.

    python tests/integration/fault_run.py kafka --seconds 600 --rows 3000

A random kill -9, SIGSTOP, or kill of a server every few seconds, many of them inside open transactions, while data
come in at a pace; then everything is mended, the rest of the work is done, and others than workers read the log.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from faults.checks import Found, checked, drained
from faults.place import Place
from faults.plan import OPEN, Faults
from faults.servers import Reached, reached
from faults.worker import opened
from faults.workers import Crew, handed

from qmtl.core.errors import Unavailable
from qmtl.core.flow.commit import Slot, Topic
from qmtl.ports.log import Log
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.servers import Postgres

WORKERS = 4
LOOK_SECONDS = 0.5
HEAL_SECONDS = 120.0


@dataclass
class Told:
    """What came of a run."""

    found: Found
    faults: Counter[str]
    missed: int
    seconds: float
    healed: float  # seconds until the rest of the work was done
    progress: list[tuple[float, int]]  # seconds since the beginning, position of all commit logs
    struck: list[tuple[float, str]]  # seconds since the beginning
    ended: list[str]  # of workers that ended by themselves: the last of what they said
    duplicates: float  # commit_duplicate_total of the workers that were left
    different: float  # their replay_different_total
    starts: int = 0

    @property
    def inside(self) -> int:
        """Faults inside open transactions."""
        return sum(self.faults[kind] for kind in OPEN)

    def stalls(self) -> list[float]:
        """Seconds between two moments at which something new was committed, while faults came."""
        grew = [0.0] + [now for (_, before), (now, after) in pairwise(self.progress) if after > before]
        return sorted((after - before for before, after in pairwise(grew)), reverse=True)

    def idle_gaps(self) -> int:
        """How many pairs of faults had nothing committed between them."""
        grew = [now for (_, before), (now, after) in pairwise(self.progress) if after > before]
        return sum(not any(a < at <= b for at in grew) for (a, _), (b, _) in pairwise(self.struck))

    def __str__(self) -> str:
        kinds = "\n".join(f"  {count:4}  {kind}" for kind, count in sorted(self.faults.items()))
        return (
            f"{self.faults.total()} faults in {self.seconds:.0f} s, {self.inside} in open transactions "
            f"({self.missed} transactions not reached):\n{kinds}\n"
            f"{self.found.steps:,} steps, {self.found.results:,} results, {self.found.buckets:,} node-buckets "
            f"({self.found.corrected:,} corrected), {self.found.takeovers} takeovers, {self.starts} workers "
            f"started; longest without a commit {self.stalls()[:3]}, {self.idle_gaps()} gaps between faults "
            f"without one; healed in {self.healed:.1f} s; wrong: {self.found.wrong[:5]}; ended: {self.ended}"
        )


@dataclass
class Run:
    """One run on one log. `gap`: seconds between faults."""

    reach: Reached
    place: Place
    crew: Crew
    leases: Postgres | None
    random: Random
    gap: tuple[float, float]
    log: Log
    began: float = field(default_factory=stopwatch)
    progress: list[tuple[float, int]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def run(self, seconds: float) -> Told:
        assert self.reach.server is not None
        spread = self.place.spread(self.log.slots)
        for _ in range(WORKERS):
            self.crew.worker(self.reach.url)
        await self._first_steps()
        self.began = stopwatch()
        faults = Faults(self.crew, self.reach.server, self.leases, self.random, self.gap)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await faults.strike_until(self.began + seconds)
            watching.cancel()
        healing = stopwatch()
        self.crew.release()
        while not await patient(lambda: drained(self.log, self.place, spread)):
            self._revive()
            assert stopwatch() < healing + HEAL_SECONDS, self._stuck()
            await asyncio.sleep(LOOK_SECONDS)
        healed = stopwatch() - healing
        told = await asyncio.gather(*(each.leave() for each in self.crew.workers))
        duplicates, different = (
            sum(each["metrics"].get(name, 0.0) for each in told)
            for name in ("commit_duplicate_total", "replay_different_total")
        )
        found = await checked(self.log, self.reach.url, self.place, spread)
        struck = [(at - self.began, kind.value) for at, kind in faults.at]
        ends = healing - self.began, healed
        return Told(
            found, faults.count, faults.missed, *ends, self.progress, struck, self.ended, duplicates,
            different, sum(each.starts for each in self.crew.workers),
        )  # fmt: skip

    async def _first_steps(self) -> None:
        late = stopwatch() + HEAL_SECONDS
        while await self._position() < WORKERS:
            self._revive()
            assert stopwatch() < late, self._stuck()
            await asyncio.sleep(LOOK_SECONDS)

    async def _position(self) -> int:
        """Grows with every step."""
        ends = [await self.log.end(Topic.COMMITS, Slot(slot)) for slot in range(self.log.slots)]
        return sum(int(end.visible) for end in ends)

    async def _watch(self) -> None:
        while True:
            self._revive()
            with suppress(Unavailable):
                self.progress.append((stopwatch() - self.began, await self._position()))
            await asyncio.sleep(LOOK_SECONDS)

    def _revive(self) -> None:
        """A worker that has ended by itself is started again, as a supervisor does, and is not forgotten."""
        for each in self.crew.workers:
            if not each.busy and not each.alive():
                self.ended.append(each.process.tail()[-400:])
                each.start()

    def _stuck(self) -> str:
        tails = "\n".join(f"worker {each.number}:\n{each.process.tail()}" for each in self.crew.workers)
        return f"not within {HEAL_SECONDS:.0f} s: the work that is left is done\n{tails}"


async def patient(ask: Callable[[], object]) -> bool:
    """A server that has just come back may break a reader's old connection."""
    try:
        return bool(await ask())  # type: ignore[misc]
    except Unavailable:
        return False


def fault_run(
    kind: str,
    folder: Path,
    *,
    seconds: float,
    rows: int,
    seed: int = 1,
    slots: int = 16,
    gap: tuple[float, float] = (1.0, 4.0),
    lease_seconds: float = 6.0,
) -> Told:
    """On servers of its own: `kafka` beside a database of leases, or `postgres`."""
    place = Place(folder, rows).write()
    with ExitStack() as stack:
        reach = stack.enter_context(reached(kind, folder))
        leases = stack.enter_context(Postgres()) if kind == "kafka" else None
        given = handed(
            folder,
            slots=slots,
            rate=rows / (seconds + 10),
            chunk=64,
            lease_seconds=lease_seconds,
            lease="" if leases is None else leases.address,
        )
        crew = Crew(given)
        stack.callback(crew.end)

        async def run() -> Told:
            log = await opened(reach.url, given)
            try:
                return await Run(reach, place, crew, leases, Random(seed), gap, log).run(seconds)
            finally:
                await log.close()

        return asyncio.run(run())


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("kind", choices=("kafka", "postgres"))
    asked.add_argument("--seconds", type=float, default=60.0)
    asked.add_argument("--rows", type=int, default=500)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--keep", type=Path, help="a folder that stays")
    given = asked.parse_args()
    logging.getLogger("qmtl.kafka").setLevel(logging.ERROR)  # that brokers are away is known here
    with ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        told = fault_run(given.kind, folder, seconds=given.seconds, rows=given.rows, seed=given.seed)
        print(told)
        sys.exit(bool(told.found.wrong or told.duplicates or told.different))


if __name__ == "__main__":
    main()
