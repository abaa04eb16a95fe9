"""Workers and logs with one thing broken each. A simulation that does not find them is itself broken.

Where two defences cover the same fault, the other one is taken away too, and a log with that one missing alone
(`ONE_DEFENCE`) must still be sound: so what is shown to matter is the one that is broken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np

from qmtl.adapters.memory.group import Group
from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.memory.member import MemoryMember, Owned
from qmtl.adapters.memory.partition import Partition, State
from qmtl.adapters.memory.store import Store
from qmtl.core.errors import Unknown
from qmtl.core.flow import plain
from qmtl.core.flow.balance import MemberId
from qmtl.core.flow.commit import End, Generation, Position, Slot, Step, Taken, Topic
from qmtl.core.flow.entry import FATES, Fate
from qmtl.core.flow.timeline import VALUE
from qmtl.runtime.worker import worker as worker_module
from qmtl.runtime.worker.messages import Correction, committed
from qmtl.runtime.worker.slot import News, SlotState
from qmtl.runtime.worker.worker import Worker
from qmtl.testing.differential import SCANS
from qmtl.testing.simulation.canary import Canary

LATE = [1 + FATES.index(fate) for fate in (Fate.LATE, Fate.SIDE_OUTPUT, Fate.TOO_LATE)]


# --- logs ---------------------------------------------------------------------------------------------------


class _UnfencedStore(Store):
    """Who was owner once may write for ever; what it left open may still commit."""

    def fence(self, slot: Slot) -> int:
        return 0

    def is_fenced(self, slot: Slot, fence: int) -> bool:
        return False


class _StoreOfManyIds(Store):
    """Each process has an id of its own: a predecessor's open transaction ends, its next one is not refused."""

    def is_fenced(self, slot: Slot, fence: int) -> bool:
        return False


class _AnyGeneration(Group):
    """The generation is asked for when it is checked: that is always the group's own."""

    def is_current(self, member: MemberId, generation: int) -> bool:
        return True


class _SkippingPartition(Partition):
    """Readers do not wait for open transactions, although their positions were given when they began."""

    def end(self) -> End:
        return End(self._next, self._next)


class _SkippingStore(Store):
    def __init__(self, slots: int, clock: Callable[[], float], transaction_seconds: float) -> None:
        super().__init__(slots, clock, transaction_seconds)
        self._partitions = {at: _SkippingPartition() for at in self._partitions}


class _EarlyMember(MemoryMember):
    """What goes to other slots is sent before the step commits."""

    async def commit(self, step: Step, generation: Generation) -> None:
        for slot, record in step.onward:
            sent = self._store.begin(slot, {(Topic.SLOTS, slot): [record]})
            self._store.end(sent, State.COMMITTED)
        await super().commit(replace(step, onward=()), generation)


class _EarlyLog(MemoryLog):
    async def member(self, name: str) -> MemoryMember:
        return _EarlyMember(self._store, self._group, name, self._cut)


class _LazyMember(MemoryMember):
    """A step that consumes nothing sends no offsets, and so nobody looks at the generation it was made under."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._positions: dict[Slot, Position] = {}

    async def take(self, slot: Slot) -> Taken:
        taken = await super().take(slot)
        self._positions[slot] = taken.step.position if taken.step else Position(0)
        return taken

    async def _transaction(self, step: Step, generation: Generation, owned: Owned) -> None:
        if step.position != self._positions[step.slot]:
            await super()._transaction(step, generation, owned)
        else:
            checked, self._group = self._group, _AnyGeneration(0, lambda: 0.0, 0.0)
            try:
                await super()._transaction(step, generation, owned)
            finally:
                self._group = checked
        self._positions[step.slot] = step.position


class _LazyLog(MemoryLog):
    async def member(self, name: str) -> MemoryMember:
        return _LazyMember(self._store, self._group, name, self._cut)


# --- workers ------------------------------------------------------------------------------------------------


class _Forgetful(Worker):
    """The position of a feed is kept in the worker and committed a step later than its events."""

    async def _commit(self, member: Any, owned: Any, step: Step, generation: Any, fed: Any = None) -> None:
        await super()._commit(member, owned, step, generation, None)
        owned.fed = owned.fed if fed is None else fed


class _Trusting(Worker):
    """After a commit whose end is unknown the state is kept, and goes on from there."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._believed: dict[Slot, SlotState] = {}

    async def _guarded(self, slot: Slot, step: Awaitable[bool]) -> bool:
        async def watched() -> bool:
            try:
                return await step
            except Unknown:
                self._believed[slot] = self._owned[slot].state
                raise

        return await super()._guarded(slot, watched())

    async def _started(self, slot: Slot, taken: Taken) -> worker_module.Owned:
        owned = await super()._started(slot, taken)
        owned.state = self._believed.pop(slot, owned.state)
        return owned


class _Tampering(Worker):
    """Does something around the computation of each step."""

    def __init__(self, *given: Any, compute: Any, **named: Any) -> None:
        super().__init__(*given, compute=self._tampered, **named)
        self._computed = compute

    async def _tampered(self, work: Any) -> Any:
        given = getattr(work, "args", ())
        state = given[0] if given and isinstance(given[0], SlotState) else None
        return await self._computed(work if state is None else lambda: self._around(state, work))

    def _around(self, state: SlotState, work: Callable[[], News]) -> News:
        raise NotImplementedError


class _CountsTwice(_Tampering):
    """An event that was dropped as late is counted once when it is judged, and once when it is dropped."""

    def _around(self, state: SlotState, work: Callable[[], News]) -> News:
        entries = [entry for source in state.engine.sources for entry in (*source.bars, *source.ticks)]
        before = [np.array(entry.counts[LATE]) for entry in entries]
        news = work()
        for entry, counted in zip(entries, before, strict=True):
            entry.counts[LATE] += entry.counts[LATE] - counted
        return news


class _Unlocked(_Tampering):
    """What an author's function is shown can be written."""

    def _around(self, state: SlotState, work: Callable[[], News]) -> News:
        names = vars(plain)
        locked, names["locked"] = names["locked"], lambda array: array
        try:
            return work()
        finally:
            names["locked"] = locked


class _StopsEarly(_Tampering):
    """A scan is computed again only up to the first row whose output is what it was."""

    def _around(self, state: SlotState, work: Callable[[], News]) -> News:
        news = work()
        reached: dict[
            tuple[str, int, int], int
        ] = {}  # by node, lane and cause: the bucket after the last corrected
        kept = []
        for record in news.results:
            told = committed(record.value)
            if isinstance(told, Correction) and self._spread.nodes[told.node_id].operator in SCANS.values():
                key = told.node_id, told.lane, told.cause
                if self._equal_between(state, told, reached.get(key, told.closed.bucket)):
                    continue
                group, _ = state.engine.plan.home[told.node_id]
                reached[key] = told.closed.bucket + group.interval
            kept.append(record)
        return replace(news, results=tuple(kept))

    @staticmethod
    def _equal_between(state: SlotState, told: Correction, since: int) -> bool:
        """Whether a row with a value, which did not change, lies between the last correction and this one."""
        group, lane = state.engine.plan.home[told.node_id]
        assert group.timeline is not None
        rows = range(group.timeline.row(since), group.timeline.row(told.closed.bucket))
        return any(int(group.S[row, lane + told.lane]) == VALUE for row in rows)


ONE_DEFENCE = Canary("ids of processes", "nothing: generations refuse what ids do not", store=_StoreOfManyIds)
CANARIES = (
    Canary("no fence", _UnfencedStore.__doc__ or "", store=_UnfencedStore, group=_AnyGeneration),
    Canary("publish before commit", _EarlyMember.__doc__ or "", log=_EarlyLog),
    Canary("dedup off", _Forgetful.__doc__ or "", worker=_Forgetful),
    Canary("late counted twice", _CountsTwice.__doc__ or "", worker=_CountsTwice),
    Canary("mutable view", _Unlocked.__doc__ or "", worker=_Unlocked),
    Canary("fresh metadata", _AnyGeneration.__doc__ or "", store=_StoreOfManyIds, group=_AnyGeneration),
    Canary("empty offsets", _LazyMember.__doc__ or "", store=_StoreOfManyIds, log=_LazyLog),
    Canary("state kept after unknown", _Trusting.__doc__ or "", worker=_Trusting),
    Canary("positions out of commit order", _SkippingPartition.__doc__ or "", store=_SkippingStore),
    Canary("a scan stops at equal outputs", _StopsEarly.__doc__ or "", worker=_StopsEarly),
)
