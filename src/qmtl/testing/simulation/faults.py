"""What goes wrong between a worker and the log: drawn anew for every call, as often as the seed's profile says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from qmtl.core.errors import Corrupt, Unavailable
from qmtl.core.flow.commit import Slot
from qmtl.ports.log import Point
from qmtl.testing.simulation.process import Process, current
from qmtl.testing.simulation.story import Story

QUICK_SECONDS = 0.02  # a call, where nothing is wrong
PATIENCE_SECONDS = 2.0  # how long a client waits for an answer
SLOW_SECONDS = 14.0  # longer than a lease and than a transaction's time limit


@dataclass(frozen=True)
class Profile:
    """How often each fault befalls a call; a seed has some kinds often and others never."""

    frozen: float = 0.0  # its process stands still in the middle of it, longer than its lease
    slow: float = 0.0  # it takes up to SLOW_SECONDS
    lost_request: float = 0.0
    lost_answer: float = 0.0  # it was done, the caller does not know
    hanging: float = 0.0  # a transaction is left open, its end unknown
    duplicate: float = 0.0  # the request arrives twice
    reorder: float = 0.0  # batches come in another order, or late
    stale: float = 0.0  # a reader is shown less than there is
    corrupt: float = 0.0  # bytes are not what they were


def profile(chance: Random) -> Profile:
    """Of a seed."""
    often = {name: chance.choice((0.0, 0.01, 0.04)) for name in Profile.__dataclass_fields__}
    rare = {name: chance.choice((0.0, 0.005)) for name in ("slow", "corrupt", "frozen")}
    return Profile(**{**often, **rare})


class Faults:
    """Between all workers and the log. `down`: the log is away for all; `healed`: nothing goes wrong any more.

    `freeze`: stops a process where it stands.
    """

    def __init__(self, profile: Profile, chance: Random, story: Story) -> None:
        self.profile, self.down, self.healed = profile, False, False
        self.freeze: Callable[[Process], None] = lambda process: None
        self._chance, self._story = chance, story

    def befalls(self, kind: str) -> bool:
        """Whether this call meets that fault."""
        rate: float = getattr(self.profile, kind)
        return rate > 0.0 and not self.healed and self._chance.random() < rate

    def note(self, kind: str, what: str) -> None:
        process = current.get()
        self._story.fault("log" if process is None else process.name, kind, what)

    def away(self) -> bool:
        """Whether the log cannot be reached by the process whose code runs."""
        process = current.get()
        return self.down or (process is not None and process.cut_off)

    async def delay(self, kind: str = "slow", what: str = "") -> None:
        """As long as a message takes."""
        if self.befalls("slow"):
            seconds = self._chance.uniform(0.5, SLOW_SECONDS)
            self.note(kind, f"{what} takes {seconds:.1f} s")
        else:
            seconds = self._chance.uniform(0.0, QUICK_SECONDS)
        process = current.get()
        if process is not None and self.befalls("frozen"):
            self._story.tell(process.name, f"stops in the middle of {what}")
            self.freeze(process)
        await asyncio.sleep(seconds)

    async def request(self, what: str) -> None:
        """On the way to the log. Raises Unavailable where it does not arrive; nothing was done then."""
        self._story.calls += 1
        await self.delay(what=what)
        lost = self.befalls("lost_request")
        if lost:
            self.note("lost_request", what)
        if lost or self.away():
            await asyncio.sleep(self._chance.uniform(0.1, PATIENCE_SECONDS))
            raise Unavailable(f"{what}: no answer")

    async def answer(self, what: str) -> None:
        """On the way back. Raises Unavailable where it does not arrive, although all was done."""
        if self.befalls("lost_answer"):
            self.note("lost_answer", what)
            await asyncio.sleep(PATIENCE_SECONDS)
            raise Unavailable(f"{what}: no answer")

    def spoil(self, what: str) -> None:
        """Raises Corrupt where the bytes of an answer have changed on the way."""
        if self.befalls("corrupt"):
            self.note("corrupt", what)
            raise Corrupt(f"{what}: the checksum does not agree")

    async def cut(self, point: Point, slot: Slot) -> bool:
        """Where a commit stands: whether it fails there (see the log in memory)."""
        await self.delay(what=f"commit of slot {slot}, at {point.name}")
        kind = {Point.BEGIN: "lost_request", Point.OPEN: "hanging", Point.DONE: "lost_answer"}[point]
        fails = self.befalls(kind)
        if fails:
            self.note(kind, f"commit of slot {slot}, at {point.name}")
        return fails or self.away()


def shuffled(chance: Random, found: dict[Any, Any]) -> dict[Any, Any]:
    """The same items in another order."""
    items = list(found.items())
    chance.shuffle(items)
    return dict(items)
