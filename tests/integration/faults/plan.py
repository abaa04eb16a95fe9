"""What strikes a run, and how often: kinds of faults, in an order drawn from a seed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from faults.workers import Crew, Worker
from qmtl.ports.log import Point
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.servers import Server

LONGEST_STOP = 9.0  # seconds: past every lease and session
LONGEST_PAUSE = 4.0  # of a server
REACH_SECONDS = 12.0
WORKING = 2  # so many workers are left alone at any time


class Kind(StrEnum):
    KILL = "worker killed"
    KILL_OPEN = "worker killed in its transaction"
    STOP = "worker stopped and continued"
    STOP_OPEN = "worker stopped in its transaction and continued"
    SERVER_KILL = "log killed and started"
    SERVER_KILL_OPEN = "log killed and started in a transaction"
    SERVER_STOP = "log stopped and continued"
    LEASES_KILL = "database of leases killed and started"


OPEN = frozenset({Kind.KILL_OPEN, Kind.STOP_OPEN, Kind.SERVER_KILL_OPEN})
WEIGHTS = {
    Kind.KILL: 3,
    Kind.KILL_OPEN: 5,
    Kind.STOP: 3,
    Kind.STOP_OPEN: 4,
    Kind.SERVER_KILL: 1,
    Kind.SERVER_KILL_OPEN: 1,
    Kind.SERVER_STOP: 1,
    Kind.LEASES_KILL: 1,
}


@dataclass
class Faults:
    """Strikes workers and servers until it is told to end, then mends everything."""

    crew: Crew
    log: Server
    leases: Server | None
    random: Random
    gap: tuple[float, float]  # seconds between two faults
    count: Counter[str] = field(default_factory=Counter)
    at: list[tuple[float, Kind]] = field(default_factory=list)  # when they struck, on the stopwatch
    missed: int = 0  # workers that made no commit in time to be struck in it
    log_busy: bool = False
    leases_busy: bool = False

    async def strike_until(self, end: float) -> None:
        """Several may be going on at a time; returns when all are mended."""
        kinds = [kind for kind in WEIGHTS if kind is not Kind.LEASES_KILL or self.leases is not None]
        async with asyncio.TaskGroup() as group:
            while stopwatch() < end:
                await asyncio.sleep(self.random.uniform(*self.gap))
                (kind,) = self.random.choices(kinds, [WEIGHTS[each] for each in kinds])
                strike = self._chosen(kind)
                if strike is not None:
                    group.create_task(strike)

    def _chosen(self, kind: Kind) -> Awaitable[None] | None:
        """None where there is nothing to strike now: too much of it is struck already."""
        if kind is Kind.LEASES_KILL:
            return None if self.leases_busy else self._leases()
        on_server = kind in {Kind.SERVER_KILL, Kind.SERVER_KILL_OPEN, Kind.SERVER_STOP}
        if on_server and self.log_busy:
            return None
        if kind in {Kind.SERVER_KILL, Kind.SERVER_STOP}:
            self.log_busy = True
            return self._server(kind)
        free = [each for each in self.crew.workers if not each.busy and each.alive()]
        if len(free) <= WORKING:
            return None
        worker = self.random.choice(free)
        worker.busy, self.log_busy = True, self.log_busy or on_server
        return self._worker(kind, worker, on_server)

    async def _worker(self, kind: Kind, worker: Worker, on_server: bool) -> None:
        seconds = self.random.uniform(0.3, LONGEST_STOP)
        try:
            if kind in OPEN and not await worker.reach(Point.OPEN, REACH_SECONDS):
                self.missed += 1
                return
            self._struck(kind)
            if kind in {Kind.KILL, Kind.KILL_OPEN}:
                await in_thread(worker.kill)
                worker.start()
                return
            if kind is Kind.STOP:
                worker.stop()
            if on_server:
                await self._killed(self.log)
            else:
                await asyncio.sleep(seconds)
            worker.go_on()
        finally:
            worker.busy, self.log_busy = False, self.log_busy and not on_server

    async def _server(self, kind: Kind) -> None:
        seconds = self.random.uniform(0.3, LONGEST_PAUSE)
        try:
            self._struck(kind)
            if kind is Kind.SERVER_KILL:
                await self._killed(self.log)
                return
            self.log.pause()
            await asyncio.sleep(seconds)
            self.log.resume()
        finally:
            self.log_busy = False

    async def _leases(self) -> None:
        assert self.leases is not None
        self.leases_busy = True
        try:
            self._struck(Kind.LEASES_KILL)
            await self._killed(self.leases)
        finally:
            self.leases_busy = False

    async def _killed(self, server: Server) -> None:
        away = self.random.uniform(0.0, 1.0)
        await in_thread(server.kill)
        await asyncio.sleep(away)
        await in_thread(server.start)

    def _struck(self, kind: Kind) -> None:
        self.count[kind] += 1
        self.at.append((stopwatch(), kind))


async def in_thread(do: Callable[[], None]) -> None:
    """What waits for processes, beside the loop."""
    await asyncio.to_thread(do)
