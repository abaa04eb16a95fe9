"""A cluster of workers over one log, and what befalls them: they crash, pause, are cut off, and are replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from qmtl.core.errors import Fault, UserError
from qmtl.core.flow.commit import Position, Slot
from qmtl.runtime.here import runtime_of
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.snapshots import Reason, Snapshots
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.keeping import Keeping
from qmtl.runtime.worker.slot import SlotState
from qmtl.runtime.worker.worker import Worker
from qmtl.testing.simulation.blobs import SimulatedBlobs
from qmtl.testing.simulation.canary import Canary
from qmtl.testing.simulation.faults import Faults
from qmtl.testing.simulation.loop import SimulatedLoop
from qmtl.testing.simulation.port import SimulatedLog
from qmtl.testing.simulation.process import Process
from qmtl.testing.simulation.story import Story, Violation
from qmtl.testing.simulation.witness import Witness
from qmtl.testing.simulation.workload import PacedFeed, Workload, streams

LEASE_SECONDS, TRANSACTION_SECONDS = 6.0, 10.0
HOUR = 3600.0
_metrics = Metrics()  # of all simulated workers; nobody reads it


class Cluster:
    """`seats`: the process at each of them now."""

    def __init__(
        self,
        workload: Workload,
        loop: SimulatedLoop,
        log: Any,
        faults: Faults,
        witness: Witness,
        story: Story,
        chance: Random,
        canary: Canary,
    ) -> None:
        self._workload, self._loop, self._log, self._canary = workload, loop, log, canary
        self._faults, self._witness, self._story, self._chance = faults, witness, story, chance
        self.seats: list[Process] = []
        self.workers: dict[Process, Worker] = {}
        self._leaving: set[Process] = set()
        self._count = 0
        self._blobs = SimulatedBlobs(faults) if chance.random() < 0.3 else None
        faults.freeze = self._freeze
        self._pace = chance.uniform(5.0, 13.0)
        self.released = False  # all events are available, and that there will be no more

    # --- processes ------------------------------------------------------------------------------------------

    def start(self, seat: int) -> None:
        """A new process at a seat."""
        chance, self._count = self._chance, self._count + 1
        skew = chance.choice((0.0, -HOUR, HOUR, chance.uniform(-HOUR, HOUR)))
        process = Process(f"w{seat}.{self._count}", skew, chance.choice((1.0, 1.0, 0.7, 1.4)))
        self.seats[seat : seat + 1] = [process]
        self._story.tell(
            process.name, f"starts; its clock is {skew:+.0f} s off, at {process.rate} of the speed"
        )
        self._loop.spawn(self._life(process), process)

    async def _life(self, process: Process) -> None:
        """Start again after every fault, as a supervisor would."""
        while process not in self._leaving:
            worker = self.workers[process] = self._worker(process)
            try:
                await worker.run(partial(self._stops, process))
            except Fault as wrong:
                self._story.tell(process.name, f"ends: {type(wrong).__name__}: {wrong}")
                await asyncio.sleep(1.0)
            except (UserError, ExceptionGroup) as bug:
                first = _first(bug)
                if isinstance(first, Violation):
                    raise first from None
                raise self._story.violation(process.name, f"a worker raised {first!r}") from bug
        self._story.tell(process.name, "has left")

    def _stops(self, process: Process, idle: bool) -> bool:
        return process in self._leaving

    def _worker(self, process: Process) -> Worker:
        chance, layout = self._chance, self._workload.layout
        log = SimulatedLog(
            self._log,
            process,
            self._faults,
            self._witness,
            self._story,
            chance,
            partial(self._state, process),
        )
        feeds: dict[str, Feed] = {
            node.node_id: PacedFeed(node, self._workload.events[node.node_id], self._available, chance)
            for node in streams(layout)
        }
        return self._canary.worker(
            log,
            layout.spread,
            feeds,
            process.name,
            chance.choice((0.2, 0.5)),
            keeping=self._keeping(process),
            metrics=_metrics,
            watch=self._watch,
            compute=self._compute,
            retries=chance.choice((0, 1, 2)),
        )

    def _watch(self) -> float:
        return self._loop.now

    def _keeping(self, process: Process) -> Keeping | None:
        if self._blobs is None:
            return None

        def rejected(reason: Reason, why: str) -> None:
            self._story.tell(process.name, f"a snapshot is not used: {reason.value}: {why}")

        spread = self._workload.layout.spread
        snapshots = Snapshots(
            self._blobs, runtime_of(spread.nodes.values()), watch=self._watch, rejected=rejected
        )
        return Keeping(snapshots, spread, self._watch, rejected, self._chance.choice((1.0, 4.0)))

    def _state(self, process: Process, slot: Slot) -> SlotState | None:
        owned = self.workers[process]._owned.get(slot)
        return None if owned is None else owned.state

    def states(self) -> Iterator[tuple[SlotState, Position]]:
        """Of all slots, as their owners have them, and what has been consumed in them."""
        for seat in self.seats:
            for owned in self.workers[seat]._owned.values():
                yield owned.state, owned.position

    def _available(self, count: int) -> int:
        """Of so many events of a stream; the last few only when all is well again."""
        if self.released:
            return count + 1
        return min(max(count - 2, 0), int(count * self._loop.now / self._pace))

    async def _compute(self, work: Callable[[], Any]) -> Any:
        await self._faults.delay(what="computing")
        return work()

    # --- what befalls them ----------------------------------------------------------------------------------

    async def trouble(self, seconds: float, least_faults: int, least_steps: int) -> None:
        """One thing after another for so long, and until there have been so many faults and steps."""
        plagues: list[Callable[[], Awaitable[None]]] = [
            self._crash,
            self._crash,
            self._pause,
            self._pause,
            self._cut_off,
            self._upgrade,
            self._down,
        ]
        plagues = self._chance.sample(plagues, self._chance.randint(2, len(plagues)))
        while self._loop.now < seconds or self._story.faults.total() < least_faults:
            await asyncio.sleep(self._chance.uniform(0.5, seconds / 6))
            self._loop.spawn(self._befall(self._chance.choice(plagues)))
        while self._loop.steps < least_steps:
            await asyncio.sleep(1.0)

    async def _befall(self, plague: Callable[[], Awaitable[None]]) -> None:
        if not self._faults.healed:
            await plague()

    def _victim(self) -> tuple[int, Process]:
        seat = self._chance.randrange(len(self.seats))
        return seat, self.seats[seat]

    def _outage(self) -> float:
        """Seconds: shorter than a lease, or longer, or longer than a transaction may take."""
        return self._chance.choice((1.0, LEASE_SECONDS * 0.9, LEASE_SECONDS * 1.3, TRANSACTION_SECONDS * 1.3))

    async def _crash(self) -> None:
        seat, process = self._victim()
        process.dead = True
        self._story.fault(process.name, "crash", "it is killed")
        await asyncio.sleep(self._chance.choice((0.1, 1.0, LEASE_SECONDS * 1.2)))
        if self.seats[seat] is process:
            self.start(seat)

    async def _pause(self) -> None:
        _, process = self._victim()
        await self._still(process, self._outage())

    async def _still(self, process: Process, seconds: float) -> None:
        self._story.fault(process.name, "pause", f"it stands still for {seconds:.1f} s")
        process.paused = True
        await asyncio.sleep(seconds)
        if process.paused:
            self._story.tell(process.name, "goes on")
            self._loop.wake(process)

    def _freeze(self, process: Process) -> None:
        """Stop a process where it stands, longer than its lease."""
        process.paused = True  # from now on
        self._loop.spawn(self._still(process, LEASE_SECONDS * self._chance.uniform(1.1, 2.5)))

    async def _cut_off(self) -> None:
        _, process = self._victim()
        seconds = self._outage()
        self._story.fault(process.name, "partition", f"it cannot reach the log for {seconds:.1f} s")
        process.cut_off = True
        await asyncio.sleep(seconds)
        process.cut_off = False

    async def _upgrade(self) -> None:
        """A new one takes the place; the old one leaves when it has finished its round."""
        seat, process = self._victim()
        self._story.fault(process.name, "upgrade", "it is to leave, another one starts")
        self._leaving.add(process)
        self.start(seat)

    async def _down(self) -> None:
        seconds = self._outage()
        self._story.fault("log", "down", f"nobody can reach it for {seconds:.1f} s")
        self._faults.down = True
        await asyncio.sleep(seconds)
        self._faults.down = False

    def heal(self) -> None:
        """Nothing goes wrong from now on: who is dead is replaced, who is paused goes on."""
        self._story.tell("cluster", "all faults end; the rest of the data is available")
        self._faults.healed, self._faults.down, self.released = True, False, True
        for seat, process in enumerate(list(self.seats)):
            process.cut_off = False
            if process.dead or process in self._leaving:
                self.start(seat)
            elif process.paused:
                self._loop.wake(process)


def _first(found: Exception) -> Exception:
    return _first(found.exceptions[0]) if isinstance(found, ExceptionGroup) else found
