"""The loop of a worker: poll, take over, advance, commit (C2–C6).

A slot's state is built from its partition and nothing else. After a fault whose outcome is not known, the state is
dropped with it, and the slot taken again where it is still this member's: taking over is the only way to start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from qmtl.core.errors import Corrupt, Fenced, InvariantBroken, QmtlError, Unavailable, Unknown
from qmtl.core.flow.commit import Batch, Epoch, Generation, Position, Record, Slot, Step, Taken, Topic
from qmtl.core.flow.instant import instant_text
from qmtl.core.graph.ir import Node
from qmtl.ports.log import Log, Member
from qmtl.runtime.here import runtime_of
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.worker.batch import Came, records_of
from qmtl.runtime.worker.feed import Feed, Now, Silence
from qmtl.runtime.worker.historian import Historian
from qmtl.runtime.worker.keeping import Compute, Keeping, Kept
from qmtl.runtime.worker.messages import (
    Consumed,
    Failed,
    Plan,
    Resume,
    consumed,
    encoded,
    results_digest,
)
from qmtl.runtime.worker.replay import Replay, applied
from qmtl.runtime.worker.slot import SlotState
from qmtl.runtime.worker.spread import Spread

_log = logging.getLogger("qmtl.worker")

BATCH = 64  # records of a poll
POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 1.0
MEASURE_SECONDS = 5.0
WARMUP_SHARE = 0.1  # of the warm-up's event time: what a restart may take (R4)
WARMUP_LEAST_SECONDS = 10.0


@dataclass
class Owned:
    """A slot that this worker owns: its plan, where its input is consumed, and where its feeds are."""

    state: SlotState
    epoch: Epoch
    position: Position
    fed: dict[str, int | str]  # by stream
    kept: Kept
    told: tuple[
        int, int, bytes
    ]  # the last step with results: from and up to which position, and their digest
    silence: Silence | None = None
    drained: bool = False  # its feeds had nothing the last time


@dataclass
class Counts:
    """What a worker has done. `fenced`: steps refused because somebody else owned the slot by then."""

    steps: int = 0
    results: int = 0
    replayed: int = 0
    restored: int = 0  # slots that began from a snapshot
    taken: int = 0
    fenced: int = 0
    unknown: int = 0
    unavailable: int = 0
    failed: int = 0  # failures of nodes
    slots: set[int] = field(default_factory=set)


class Worker:
    """Runs the plans of the slots that the group gives it."""

    def __init__(
        self,
        log: Log,
        spread: Spread,
        feeds: Mapping[str, Feed],
        name: str,
        poll_seconds: float = POLL_SECONDS,
        *,
        keeping: Keeping | None = None,
        metrics: Metrics | None = None,
        watch: Callable[[], float] = stopwatch,
        compute: Compute = asyncio.to_thread,
        retries: int = 0,
        clock: Now | None = None,
        historian: Historian | None = None,
    ) -> None:
        """`feeds`: by stream (node id); each is read only by the owner of the stream's slot.

        `poll_seconds`: how long a worker that has nothing to do waits for news. `keeping`: who keeps snapshots, if
        anybody does. `watch`: a stopwatch in seconds; `compute`: runs what takes long beside the loop.
        `retries`: how often a node whose function failed is tried again. `clock`: the time (ns) by which streams fall
        idle; None: they do not. `historian`: its part in computing history.
        """
        self._historian = historian
        self._poll_seconds, self._keeping = poll_seconds, keeping
        self.metrics = Metrics() if metrics is None else metrics
        self._watch, self._compute, self._retries, self._clock = watch, compute, retries, clock
        self._tried: dict[str, int] = {}  # by node
        self._log, self._spread, self._feeds, self._name = log, spread, feeds, name
        self._active = set(spread.slots())
        self._owned: dict[Slot, Owned] = {}
        self._wanted: set[Slot] = set()  # assigned, and to be taken
        self._measured, self._runtime = watch(), runtime_of(spread.nodes.values())
        self._generation: Generation | None = None  # of the last poll
        self.counts = Counts()

    async def run(self, stop: Callable[[bool], bool]) -> None:
        """Until `stop` says so; it is asked after every poll whether this worker had nothing to do."""
        member = await self._joined(stop)
        if member is None:
            return
        try:
            await self._work(member, stop)
        except* QmtlError as found:
            raise found.exceptions[0] from None
        finally:
            await member.close()

    async def _joined(self, stop: Callable[[bool], bool]) -> Member | None:
        """A part in the group, once its servers answer; None where it was stopped before."""
        while True:
            try:
                return await self._log.member(self._name)
            except Unavailable:
                self.counts.unavailable += 1
                if stop(True):
                    return None
                await asyncio.sleep(self._poll_seconds)

    async def _work(self, member: Member, stop: Callable[[bool], bool]) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            beside = [self._tasks.create_task(_beat(member))]
            if self._historian is not None:
                beside += [
                    self._tasks.create_task(one) for one in (self._historian.run(), self._historian.beat())
                ]
            try:
                while not stop(not await self._round(member)):
                    pass
                await self._leave(member)
            finally:
                for one in beside:
                    one.cancel()

    async def _round(self, member: Member) -> bool:
        """One poll and what follows from it; whether there was anything to do."""
        busy = any(not owned.drained for owned in self._owned.values())
        try:
            polled = await member.poll(0.0 if busy else self._poll_seconds, BATCH)
        except (
            Unavailable
        ):  # the servers are away; what this worker holds is fenced if it was given to others
            self.counts.unavailable += 1
            await asyncio.sleep(self._poll_seconds)
            return True
        for slot in polled.lost:
            self.metrics.lease_lost.labels(slot).inc()
            self._drop(slot)
            self._wanted.discard(slot)
        self._generation = polled.generation
        self._wanted |= polled.assigned
        taking = sorted(self._wanted)
        for slot in taking:
            await self._take(member, slot)
        batches = {slot: batch for slot, batch in polled.batches.items() if slot not in taking}
        for slot, batch in batches.items():  # what was polled before a slot was taken is delivered again
            await self._guarded(slot, self._advance(member, slot, batch, polled.generation))
        fed = False
        for slot in [slot for slot in self._owned if slot not in batches]:
            if not await self._guarded(slot, self._feed(member, slot, polled.generation)):
                await self._guarded(slot, self._tell_kept(member, slot, polled.generation))
            else:
                fed = True
        await self._measure()
        waiting = self._historian is not None and not self._historian.over
        return bool(taking or polled.batches or polled.lost or fed or waiting)

    async def _measure(self) -> None:
        """How far readers are behind open transactions, now and then (C4)."""
        if self._watch() - self._measured < MEASURE_SECONDS:
            return
        self._measured = self._watch()
        for slot in self._owned:
            with suppress(Unavailable):
                end = await self._log.end(Topic.SLOTS, slot)
                self.metrics.lso_lag.labels(slot).set(end.written - end.visible)

    def _drop(self, slot: Slot) -> None:
        self._owned.pop(slot, None)

    async def _guarded(self, slot: Slot, step: Awaitable[bool]) -> bool:
        """A step; after a fault the state goes, and the slot is to be taken again (C4)."""
        try:
            return await step
        except Fenced:
            self.counts.fenced += 1
            self.metrics.commit_refused.labels(slot).inc()
        except Unknown:
            self.counts.unknown += 1
        except Unavailable:
            self.counts.unavailable += 1
        self._drop(slot)
        self._wanted.add(slot)
        return True

    async def _take(self, member: Member, slot: Slot) -> None:
        since = self._watch()
        try:
            taken = await member.take(slot)
            owned = await self._started(slot, taken) if slot in self._active else None
        except Fenced:
            self._wanted.discard(slot)  # assigned to another by now, as the next poll will tell
            return
        except Unavailable:  # it is this member's all the same, and no poll will say so again
            self.counts.unavailable += 1
            return
        self._wanted.discard(slot)
        self.counts.taken += 1
        self.counts.slots.add(int(slot))
        if taken.epoch > 1:
            self.metrics.owner_reassign.labels(slot).inc()
        if owned is not None:
            self._owned[slot] = owned
            seconds = self._watch() - since
            allowed = max(owned.state.warmup_seconds() * WARMUP_SHARE, WARMUP_LEAST_SECONDS)
            self.metrics.warmup_seconds.labels(slot).set(seconds)
            self.metrics.warmup_exceeded_seconds.labels(slot).set(max(0.0, seconds - allowed))

    async def _started(self, slot: Slot, taken: Taken) -> Owned:
        """The slot as its last step left it: from a snapshot or the beginning, then by what was consumed since."""
        step, at, kept = taken.step, Position(0), Kept(since=self._watch())
        known = Consumed({}) if step is None else consumed(step.body)
        if self._keeping is not None and known.snapshots:
            state, at, kept = await self._keeping.started(slot, known.snapshots, self._compute)
            self.counts.restored += at > 0
        else:
            state = SlotState(slot, self._spread)
        position = Position(0) if step is None else step.position
        first, last, outputs = known.told
        replay = Replay(self._log, self._compute, self._poll_seconds)
        repeated = await replay.run(state, at, position, (first, last))
        self.counts.replayed += repeated.entries
        if state.inputs != known.inputs:
            raise Corrupt(f"slot {slot}: its input up to {position} is not what was committed")
        # Another runtime may compute other bits; they are not held against it.
        if repeated.outputs not in (None, outputs) and known.runtime == self._runtime:
            self.metrics.replay_different.labels(slot).inc()
            _log.error(
                "slot %d: what was consumed at %d to %d computes other results than were committed: "
                "is a function impure? (qmtl verify tells)",
                *(slot, first, last),
            )
        silence = None if self._clock is None else Silence(self._clock)
        return Owned(state, taken.epoch, position, known.fed, kept, known.told, silence)

    async def _keep(self, owned: Owned, leaving: bool = False) -> None:
        """Take a snapshot where one is due."""
        keeping, kept = self._keeping, owned.kept
        if keeping is not None and keeping.due(kept, owned.position, leaving):
            await keeping.take(owned.state, kept, owned.position, self._compute, self._tasks)
            self.metrics.snapshot_written.labels(owned.state.slot).inc()

    async def _tell_kept(self, member: Member, slot: Slot, generation: Generation) -> bool:
        """A step that only says which snapshots there are, where no other will."""
        owned = self._owned.get(slot)
        if owned is None or owned.kept.told:
            return False
        await self._commit(member, owned, Step(slot, owned.epoch, owned.position), generation)
        return True

    async def _leave(self, member: Member) -> None:
        """In good order: snapshots of what was done, and steps that name them; whoever is next begins there."""
        if self._keeping is None or self._generation is None:
            return
        for owned in self._owned.values():
            await self._keeping.written(owned.kept)
            await self._keep(owned, leaving=True)
        for slot, owned in list(self._owned.items()):
            await self._keeping.written(owned.kept)
            await self._guarded(slot, self._tell_kept(member, slot, self._generation))

    async def _commit(
        self,
        member: Member,
        owned: Owned,
        step: Step,
        generation: Generation,
        fed: dict[str, int | str] | None = None,
    ) -> None:
        """Commit a step with where the feeds are (as `fed` says), and which snapshots there are (C2)."""
        pointers, began = owned.kept.pointers, self._watch()
        outputs, where = results_digest(step.results), owned.fed if fed is None else fed
        told = (int(owned.position), int(step.position), outputs) if outputs else owned.told
        body = encoded(Consumed(where, pointers, owned.state.inputs, outputs, self._runtime, told))
        await member.commit(replace(step, body=body), generation)
        self.metrics.commit_latency.observe(self._watch() - began)
        owned.kept.told = owned.kept.told or owned.kept.pointers is pointers
        owned.position, owned.fed, owned.told = step.position, where, told
        self.counts.steps += 1

    async def _advance(self, member: Member, slot: Slot, batch: Batch, generation: Generation) -> bool:
        owned = self._owned.get(slot)
        if owned is None:
            return False
        news = await self._compute(partial(applied, owned.state, batch.entries))
        if news.duplicates:
            self.metrics.commit_duplicate.labels(slot).inc(news.duplicates)
            raise InvariantBroken(f"slot {slot} would commit {news.duplicates} buckets a second time (C1)")
        side = tuple((Topic.CONTROL, Record(one.node_id.encode(), encoded(one))) for one in news.failed)
        onward = (*news.onward, *self._retried(slot, news.failed))
        step = Step(slot, owned.epoch, batch.next, news.results, onward, side)
        await self._commit(member, owned, step, generation)
        self.counts.results += len(news.results)
        await self._keep(owned)
        return True

    def _retried(self, slot: Slot, failed: Iterable[Failed]) -> list[tuple[Slot, Record]]:
        """Records that have nodes tried again, each at most so often in a worker's life; the others are not stopped."""
        again = []
        for one in failed:
            self.metrics.node_failed.labels(slot).inc()
            self.counts.failed += 1
            tried = self._tried.get(one.node_id, 0)
            self._tried[one.node_id] = tried + 1
            if tried < self._retries:
                again.append((slot, Record(b"resume", encoded([Resume(one.node_id)]))))
            left = f"tried again ({tried + 1} of {self._retries})" if tried < self._retries else "halted"
            _log.warning("%s failed at %s: %s; %s", one.label, instant_text(one.bucket), one.cause, left)
        return again

    async def _feed(self, member: Member, slot: Slot, generation: Generation) -> bool:
        """Bring the next events of the slot's streams in: they and their positions commit together (C7)."""
        owned = self._owned.get(slot)
        if owned is None:
            return False
        fed, come, history = dict(owned.fed), dict[Slot, list[Came]](), False
        for node in self._spread.streams(slot):
            if node.node_id in self._feeds:
                feed = self._feeds[node.node_id]
                before = feed.rejected
                messages, fed[node.node_id] = self._read(owned, node)
                self.metrics.feed_rejected.labels(slot).inc(feed.rejected - before)
                history |= bool(messages) and feed.history
                readers = self._spread.readers.get(node.node_id, ())
                for to in (slot,) if node.interval_ns is not None else map(Slot, readers):
                    come.setdefault(to, []).extend(messages)
        owned.drained = fed == owned.fed and not any(come.values())
        if owned.drained:
            return False
        onward = [
            (to, record) for to, messages in sorted(come.items()) for record in records_of(messages, history)
        ]
        if not owned.fed:
            plan = Plan(self._spread.digest, self._spread.origins)
            onward.insert(0, (slot, Record(b"plan", encoded([plan]))))
        step = Step(slot, owned.epoch, owned.position, onward=tuple(onward))
        await self._commit(member, owned, step, generation, fed)
        for stream, position in fed.items():
            if stream in self._feeds:
                self._feeds[stream].acknowledge(position)
        return True

    def _read(self, owned: Owned, node: Node) -> tuple[list[Came], int | str]:
        """What a stream has brought, or that it is silent, and the position after it; nothing where it is away."""
        feed, position = self._feeds[node.node_id], owned.fed.get(node.node_id, 0)
        try:
            message, after = feed.read(position)
        except Unavailable:
            self.counts.unavailable += 1
            message, after, caught_up = None, position, False
        else:
            caught_up = feed.caught_up
        silent = None if owned.silence is None else owned.silence.of(node, message is not None, caught_up)
        return [one for one in (message, silent) if one is not None], after


async def _beat(member: Member) -> None:
    """Renews while a step takes long."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        with suppress(Unavailable):  # the next poll tells
            await member.heartbeat()
