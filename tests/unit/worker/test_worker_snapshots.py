"""A worker begins where the last snapshot stands, and goes on as if nothing had happened (R4, C6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.adapters.memory.log import MemoryLog
from qmtl.core.flow.state import parts_of, rest_of
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.snapshots import KEEP, roots
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.runtime.worker.slot import SlotState
from qmtl.runtime.worker.starting import kept_in
from qmtl.runtime.worker.worker import Worker

from unit.worker.test_worker import Laid, idle

SLOTS = 4


@pytest.fixture(scope="module")
def laid() -> Laid:
    return Laid(SLOTS)


def rounds(count: int) -> Callable[[bool], bool]:
    left = [count]

    def stop(nothing: bool) -> bool:
        left[0] -= 1
        return left[0] == 0

    return stop


class Kill(Exception):
    pass


def killed(count: int) -> Callable[[bool], bool]:
    left = [count]

    def stop(nothing: bool) -> bool:
        left[0] -= 1
        if left[0] == 0:
            raise Kill
        return False

    return stop


def worker(log: Any, laid: Laid, store: MemoryBlobs, every: float = 0.0) -> Worker:
    metrics = Metrics()
    keeping = kept_in(store, laid.spread, metrics, every)
    return Worker(log, laid.spread, laid.feeds, "one", 0.01, keeping=keeping, metrics=metrics)


def content(state: SlotState) -> Any:
    parts = [(p.bucket, {k: a.tobytes() for k, a in p.arrays.items()}) for p in parts_of(state.engine)]
    return state.told(), rest_of(state.engine), parts


async def run(log: Any, laid: Laid, store: MemoryBlobs, stops: list[Callable[[bool], bool]]) -> list[Worker]:
    made = []
    for stop in stops:
        made.append(worker(log, laid, store))
        try:
            await made[-1].run(stop)
        except* Kill:
            pass
    return made


def memory() -> MemoryLog:
    return MemoryLog(SLOTS, asyncio.get_running_loop().time, lease_seconds=30.0)


@pytest.mark.parametrize("how", [rounds, killed])
def test_a_worker_begins_at_the_last_snapshot(how: Any, laid: Laid) -> None:
    """Left in good order or not; what it replays is what came after the snapshot."""

    async def main() -> tuple[list[Worker], CommitLog]:
        log, store = memory(), MemoryBlobs()
        made = await run(log, laid, store, [how(n) for n in (3, 9, 14, 20)] + [idle(6)])
        return made, await read_all(log)

    made, found = asyncio.run(main())
    laid.check(found)
    assert sum(one.counts.restored for one in made) > 5
    assert all(one.metrics.summary().get("snapshot_rejected_total", 0.0) == 0 for one in made)
    if how is rounds:
        assert sum(one.counts.replayed for one in made) == 0


def test_a_slot_restored_and_replayed_is_in_the_state_of_one_never_stopped(laid: Laid) -> None:
    async def main() -> list[tuple[Any, Any]]:
        log, store = memory(), MemoryBlobs()
        first = worker(log, laid, store)
        await run(log, laid, store, [killed(17)])
        await first.run(idle(6))
        whole = {slot: owned.state for slot, owned in first._owned.items()}
        assert first.counts.restored > 0
        second = Worker(log, laid.spread, laid.feeds, "two", 0.01)  # without snapshots: from the beginning
        await second.run(idle(2))
        assert second.counts.replayed > 0 == second.counts.restored
        return [(content(whole[slot]), content(owned.state)) for slot, owned in second._owned.items()]

    pairs = asyncio.run(main())
    assert len(pairs) == SLOTS
    for restored, never_stopped in pairs:
        assert restored == never_stopped


def test_what_no_slot_needs_any_more_goes(laid: Laid) -> None:
    async def main() -> tuple[Worker, set[str], set[str]]:
        log, store = memory(), MemoryBlobs()
        (one,) = await run(log, laid, store, [idle(6)])
        return one, {each.digest for each in store.stored()}, roots(store)

    one, stored, named = asyncio.run(main())
    assert one.metrics.summary()["snapshot_written_total"] > 3 * SLOTS * KEEP
    assert stored == named


def test_corrupt_snapshots_make_way_for_the_input(laid: Laid) -> None:
    async def main() -> tuple[Worker, CommitLog]:
        log, store = memory(), MemoryBlobs()
        await run(log, laid, store, [rounds(9), rounds(20)])
        for one in list(store.stored()):
            store.delete(one.digest)
        (last,) = await run(log, laid, store, [idle(6)])
        return last, await read_all(log)

    last, found = asyncio.run(main())
    laid.check(found)
    assert last.counts.restored == 0 < last.counts.replayed
    assert last.metrics.value("snapshot_rejected_total", reason="missing") >= SLOTS


def test_warming_up_is_measured(laid: Laid) -> None:
    """A tenth of the warm-up of the longest chain is allowed; what takes longer is told (R4)."""
    now = [0.0]

    async def main() -> Worker:
        log, store = memory(), MemoryBlobs()
        await run(log, laid, store, [rounds(9)])
        slow = worker(log, laid, store)

        def tick() -> float:
            now[0] += 100.0
            return now[0]

        slow._watch = tick
        await slow.run(rounds(2))
        return slow

    slow = asyncio.run(main())
    assert slow.counts.taken == SLOTS
    for slot in range(SLOTS):
        allowed = max(SlotState(slot, laid.spread).warmup_seconds() / 10, 10.0)
        took = slow.metrics.value("warmup_seconds", slot=slot)
        assert took >= 100.0
        assert slow.metrics.value("warmup_exceeded_seconds", slot=slot) == pytest.approx(
            max(0.0, took - allowed)
        )
    assert max(SlotState(slot, laid.spread).warmup_seconds() for slot in range(SLOTS)) >= 19 * 60
