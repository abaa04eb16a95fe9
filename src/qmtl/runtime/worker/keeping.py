"""Snapshots of slots: when they are taken, which are kept, and what a slot starts from (R4, C6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qmtl.core.errors import Corrupt, Fault
from qmtl.core.flow.commit import Position, Slot
from qmtl.runtime.snapshots import KEEP, Content, Pointer, Reason, Restored, Snapshots
from qmtl.runtime.worker.slot import SlotState, engine_of
from qmtl.runtime.worker.spread import Spread

EVERY_SECONDS = 60.0
Compute = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass
class Kept:
    """The snapshots of one slot, newest first. `told`: whether its step record names them all."""

    pointers: list[Pointer] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # of the newest: they are stored
    position: int = 0  # up to which the newest holds
    since: float = 0.0
    told: bool = True
    writing: asyncio.Task[None] | None = None


class Keeping:
    """Takes snapshots of slots while they work, and brings a slot back from them."""

    def __init__(
        self,
        snapshots: Snapshots,
        spread: Spread,
        watch: Callable[[], float],
        rejected: Callable[[Reason, str], None],
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        """`watch`: a stopwatch in seconds; `rejected`: told of a snapshot that could not be used."""
        self._snapshots, self._spread, self._watch = snapshots, spread, watch
        self._rejected, self._every_seconds = rejected, every_seconds

    async def started(
        self, slot: Slot, pointers: Sequence[Pointer], compute: Compute
    ) -> tuple[SlotState, Position, Kept]:
        """A slot as of its newest snapshot that can be believed, else as of its first record."""
        kept = Kept(list(pointers), since=self._watch())
        make = partial(engine_of, slot, self._spread)
        found = await compute(partial(self._snapshots.newest, make, pointers))
        if found is not None:
            restored, manifest = found
            state = self._state(slot, restored)
            if state is not None:
                kept.position, kept.parts = restored.pointer.position, manifest.parts
                return state, Position(kept.position), kept
        return SlotState(slot, self._spread), Position(0), kept

    def _state(self, slot: Slot, restored: Restored) -> SlotState | None:
        try:
            return SlotState(slot, self._spread, restored)
        except Corrupt as wrong:
            self._rejected(Reason.CORRUPT, str(wrong))
            return None

    def due(self, kept: Kept, position: int, leaving: bool = False) -> bool:
        """Whether it is time: something was consumed, and the last one is old enough or the worker leaves."""
        if kept.writing is not None or position <= kept.position:
            return False
        return leaving or self._watch() - kept.since >= self._every_seconds

    async def take(
        self, state: SlotState, kept: Kept, position: int, compute: Compute, group: asyncio.TaskGroup
    ) -> None:
        """Take the state as it is now; a task of `group` writes it while the slot works on."""
        taken = await compute(partial(self._snapshots.take, state.engine, position, state.told(), kept.parts))
        kept.since = self._watch()
        kept.writing = group.create_task(self._write(state.slot, kept, taken, compute))

    async def _write(self, slot: Slot, kept: Kept, taken: Content, compute: Compute) -> None:
        try:
            pointer = await compute(partial(self._snapshots.write, taken))
            pointers = [pointer, *kept.pointers[:KEEP]]  # one more than are kept: it goes with the next
            name = f"{self._spread.digest}/{int(slot)}"
            await compute(partial(self._snapshots.keep, name, pointers))
            await compute(partial(self._snapshots.drop, kept.pointers[KEEP:], pointers))
        except Fault as wrong:  # the slot goes on without; the next one is tried in time
            self._rejected(Reason.UNAVAILABLE, str(wrong))
        else:
            kept.pointers, kept.parts = pointers, taken.manifest.parts
            kept.position, kept.told = pointer.position, False
        finally:
            kept.writing = None

    @staticmethod
    async def written(kept: Kept) -> None:
        """Wait for the one that is being written."""
        if kept.writing is not None:
            await asyncio.wait([kept.writing])
