"""One seed from its beginning to its end."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random

from qmtl.adapters.memory.store import Store
from qmtl.adapters.memory.wake import Wake
from qmtl.core.flow.commit import Batch, Position, Slot, Topic
from qmtl.testing.simulation import convergence
from qmtl.testing.simulation.canary import SOUND, Canary
from qmtl.testing.simulation.cluster import LEASE_SECONDS, TRANSACTION_SECONDS, Cluster
from qmtl.testing.simulation.faults import Faults, profile
from qmtl.testing.simulation.loop import SimulatedLoop, Stuck
from qmtl.testing.simulation.reference import Reference, Wrong
from qmtl.testing.simulation.story import Story, Violation
from qmtl.testing.simulation.witness import Witness
from qmtl.testing.simulation.workload import Workload, workload

LEAST_FAULTS, LEAST_STEPS = 5, 500
HEALED_SECONDS = 90.0  # within them everything must be there: a lease, a time limit, and the work itself
READ = 1_000_000  # records: all there are


class CountedWake(Wake):
    """Knows how often it was told: a transaction has ended."""

    count = 0

    def tell(self) -> None:
        self.count += 1
        super().tell()


@dataclass(frozen=True)
class Outcome:
    """`wrong`: what was violated, or nothing; `line`: of the story, where it shows."""

    seed: int
    digest: str
    steps: int
    calls: int
    faults: Counter[str]
    wrong: str
    line: int
    story: Story


class Simulation:
    """A seed's cluster, before its first step."""

    def __init__(self, seed: int, canary: Canary = SOUND) -> None:
        chance = Random(seed)  # noqa: S311
        self._chance = chance
        self.loop = SimulatedLoop(chance)
        self.story = Story(lambda: self.loop.now)
        self.workload: Workload = workload(seed)
        slots = self.workload.layout.slots
        self.store: Store = canary.store(slots, self._now, TRANSACTION_SECONDS)
        self._wake = self.store.changed = CountedWake()
        self.faults = Faults(profile(chance), chance, self.story)
        self.log = canary.opened(slots, self._now, self.store, LEASE_SECONDS, self.faults.cut)
        self.reference = Reference(self.workload, self.story.seen)
        self.witness = Witness(slots, self._read, self.reference, self.story)
        self.cluster = Cluster(
            self.workload, self.loop, self.log, self.faults, self.witness, self.story, chance, canary
        )
        self._looked = 0
        self.loop.after = self._after

    def _now(self) -> float:
        return self.loop.now

    def _read(self, topic: Topic, slot: Slot, start: Position) -> Batch:
        return self.store.partition(topic, slot).read(start, READ)

    def _after(self) -> None:
        """After every step of the loop."""
        if self._looked != self._wake.count:
            self._looked = self._wake.count
            self.witness.look()
            if not self.store.open:
                self.witness.whole()

    async def main(self) -> None:
        """A phase with faults, then one without, at whose end everything must be there."""
        self.cluster.seats = []
        for seat in range(self._chance.choice((2, 2, 3, 3, 4))):
            self.cluster.start(seat)
        await self.cluster.trouble(self._chance.uniform(8.0, 16.0), LEAST_FAULTS, LEAST_STEPS)
        self.cluster.heal()
        await self._converged(self.loop.now + HEALED_SECONDS)
        for worker in self.cluster.workers.values():
            for name in ("fenced", "unknown", "unavailable", "replayed", "restored"):
                self.story.seen[name] += getattr(worker.counts, name)
        for state, position in self.cluster.states():
            self.reference.whole(state, position)
        wrong = await convergence.different(self.workload, self.log, self.witness)
        if wrong:
            raise self.witness.violation(wrong)

    async def _converged(self, late: float) -> None:
        while True:
            left = self._left()
            if not left:
                break
            if self.loop.now > late:
                raise self.witness.violation(
                    f"not within {HEALED_SECONDS:.0f} s after all faults ended: {left}"
                )
            await asyncio.sleep(0.25)
        self.story.tell("cluster", "everything is there")

    def _left(self) -> str:
        left = convergence.waiting(self.workload, self.witness, self.reference)
        return left or (f"{self.store.open} transactions are open" if self.store.open else "")


def simulate(seed: int, canary: Canary = SOUND) -> Outcome:
    """Run a seed; raises nothing that the run itself is to blame for."""
    made, wrong, line = Simulation(seed, canary), "", 0
    try:
        made.loop.run(made.main())
    except Violation as found:
        wrong, line = str(found), found.line
    except (Stuck, Wrong) as found:
        violation = made.story.violation("loop", str(found))
        wrong, line = str(violation), violation.line
    made.story.tell("loop", f"{made.loop.steps} steps, {made.story.calls} calls of the log")
    return Outcome(
        seed,
        made.story.digest(),
        made.loop.steps,
        made.story.calls,
        made.story.faults,
        wrong,
        line,
        made.story,
    )
