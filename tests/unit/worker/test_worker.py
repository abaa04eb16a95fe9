"""Workers commit what a backtest computes, each bucket once, however many they are (C1, C2, E15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from qmtl import Event, Panel, Runner, Strategy, StreamInput, cross, node
from qmtl.adapters.memory.log import MemoryLog
from qmtl.core.flow.commit import STEP_KEY, Batch, Entry, Position, Record, Slot, StepRecord, Topic
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.expand import expand
from qmtl.core.graph.ir import NodeKind
from qmtl.runtime.backtest import unique_nodes, wanted_sources
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.sources import load
from qmtl.runtime.worker.feed import TableFeed
from qmtl.runtime.worker.messages import Correction, chained, committed, consumed, decoded, results_digest
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.runtime.worker.spread import STREAMS, Spread, spread
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.strategy import build

NAMES = ("A", "B", "C", "D")
ROWS = 600
MINUTE = 60_000_000_000
BEGIN = 1_704_067_200 * 10**9


@node
def ratio(view, *, k: float):
    return float(view.x[-1] / view.y.mean() * k)


class Mixed(Strategy):
    """Nodes over one stream, over two, over all, and over those; a coarser interval."""

    def define(self) -> None:
        close = {name: StreamInput(name, interval="1m", lateness="1m").close for name in NAMES}
        for name, one in close.items():
            self.output(f"ema {name}", one.ema(9))
            self.output(f"zscore {name}", one.zscore(20))
        self.output("spread", (close["A"].sma(5) - close["B"].sma(5)).ema(3))
        self.output("ratio", ratio(x=close["C"].window(3), y=close["D"].window(9), k=2.0).sma(4))
        ranks = cross.rank(Panel({name: one.returns(3) for name, one in close.items()}))
        self.output("rank B", ranks["B"] * 2.0)
        self.output("mean", cross.mean(Panel(close)).sma(3))
        five = StreamInput("A", interval="1m", lateness="1m").resample("5m")
        self.output("coarse", five.close.ema(3) - close["D"])


def events(rows: int = ROWS) -> list[Event]:
    """Bars in the order in which they came: some never did, some late, some again with another value."""
    found = []
    for seed, name in enumerate(NAMES):
        chance = np.random.default_rng(seed)
        price = 100 + chance.normal(0, 1, rows).cumsum()
        for minute in range(rows):
            fate, start = float(chance.random()), BEGIN + minute * MINUTE
            if fate < 0.02:
                continue
            late = int(chance.integers(2, 30)) if fate < 0.05 else 1
            found.append(_bar(name, start, price[minute], start + late * MINUTE))
            if fate > 0.98:
                found.append(
                    _bar(name, start, price[minute] + 0.5, start + int(chance.integers(2, 9)) * MINUTE)
                )
    return sorted(found, key=lambda one: one.at)


def _bar(name: str, start: int, price: float, at: int) -> Event:
    values = {"open": price, "high": price + 1.0, "low": price - 1.0, "close": price, "volume": 1.0}
    return Event(name, start, values, interval="1m", at=at)


class Laid:
    """A strategy over its data, spread over the slots of a log."""

    def __init__(self, slots: int, rows: int = ROWS) -> None:
        self.run = Runner.backtest(Mixed(), events(rows), cache=False)
        (graph,) = expand([build(Mixed())], lambda query: [])
        nodes = unique_nodes([graph])
        self.arrivals = load(
            events(rows), wanted_sources(nodes.values(), [graph]), finished=True, with_clock=False
        )
        earliest = self.arrivals.earliest()
        origins = {
            one.node_id: at
            for one in nodes.values()
            if one.kind in STREAMS
            for key, at in earliest.items()
            if key.id == one.stream and key.interval_ns == one.interval_ns
        }
        self.spread: Spread = spread(nodes.values(), slots, origins, self.run._executed.end)
        self.feeds = {
            n.node_id: TableFeed(n, self.arrivals, chunk=40) for n in nodes.values() if n.kind in STREAMS
        }

    def check(self, found: CommitLog) -> None:
        """Everything committed is what the backtest computed, and all of it is there."""
        assert found.wrong == []
        engine = self.run._executed.engine
        compared = 0
        for node_id, one in self.spread.nodes.items():
            group, lane = engine.plan.home[node_id]
            lanes = range(group.lanes) if len(group.nodes) < group.lanes else [lane]
            for each in lanes:
                told = found.nodes.get((node_id, each if len(group.nodes) < group.lanes else 0))
                cells = cells_of(engine, group, each, 0)
                values = {
                    bucket: tuple(row)
                    for bucket, status, row in zip(
                        cells.bucket.tolist(), cells.status.tolist(), cells.value.tolist(), strict=True
                    )
                    if status == VALUE
                }
                assert told is not None
                got = {b: values for b, (status, values, _) in told.latest.items() if status == VALUE}
                assert repr(sorted(got.items())) == repr(sorted(values.items())), one.label
                compared += len(values)
        assert compared > 10 * ROWS


@pytest.fixture(scope="module")
def laid() -> Laid:
    made = Laid(8)
    assert made.run.correction_count > 100
    return made


def idle(rounds: int) -> Callable[[bool], bool]:
    """Stops after so many rounds in a row without anything to do."""
    count = 0

    def stop(nothing: bool) -> bool:
        nonlocal count
        count = count + 1 if nothing else 0
        return count >= rounds

    return stop


async def _run(log: Any, laid: Laid, workers: int) -> list[Worker]:
    made = [Worker(log, laid.spread, laid.feeds, f"worker {n}", 0.05) for n in range(workers)]
    async with asyncio.TaskGroup() as group:
        for worker in made:
            group.create_task(worker.run(idle(6)))
    return made


@pytest.mark.parametrize("workers", (1, 3))
def test_workers_commit_what_a_backtest_computes(workers: int, laid: Laid) -> None:

    async def main() -> tuple[list[Worker], CommitLog]:
        log = MemoryLog(8, asyncio.get_running_loop().time, lease_seconds=30.0)
        made = await _run(log, laid, workers)
        return made, await read_all(log)

    made, found = asyncio.run(main())
    laid.check(found)
    assert len(laid.spread.readers) > 3  # slots tell each other
    assert sum(worker.counts.steps for worker in made) > 10
    assert sum(len(worker.counts.slots) > 0 for worker in made) == workers


def test_a_worker_that_starts_again_goes_on(laid: Laid) -> None:
    """In the middle of everything it leaves; the next one computes again what was committed, and tells what is new."""

    async def main() -> CommitLog:
        log = MemoryLog(8, asyncio.get_running_loop().time, lease_seconds=30.0)
        for rounds in (3, 5, 9, 12):
            worker, left = Worker(log, laid.spread, laid.feeds, "short", 0.05), [rounds]

            def stop(nothing: bool, left: list[int] = left) -> bool:
                left[0] -= 1
                return left[0] == 0

            await worker.run(stop)
        last = Worker(log, laid.spread, laid.feeds, "last", 0.05)
        await last.run(idle(6))
        assert last.counts.replayed > 0
        return await read_all(log)

    laid.check(asyncio.run(main()))


@pytest.mark.parametrize("seed", range(3))
def test_faults_at_any_point_of_a_commit_lose_and_double_nothing(seed: int, laid: Laid) -> None:
    chance = Random(seed)

    async def main() -> tuple[Worker, CommitLog]:
        async def cut(point: Any, slot: Slot) -> bool:
            return chance.random() < 0.1

        log = MemoryLog(8, asyncio.get_running_loop().time, lease_seconds=30.0, cut=cut)
        worker = Worker(log, laid.spread, laid.feeds, "cut", 0.05)
        await worker.run(idle(6))
        return worker, await read_all(log)

    worker, found = asyncio.run(main())
    laid.check(found)
    assert worker.counts.unknown + worker.counts.unavailable > 10


def test_the_plans_of_the_slots_have_each_node_once(laid: Laid) -> None:
    computed = [
        node.node_id
        for slot in laid.spread.slots()
        for node in laid.spread.plan(slot)
        if node.kind not in (NodeKind.REMOTE, NodeKind.TICKS)
    ]
    assert sorted(computed) == sorted(laid.spread.nodes)


def test_every_step_says_what_it_was_made_of(laid: Laid) -> None:
    """C1: the digest of its input, of its results, its runtime; and what caused a correction."""

    async def main() -> tuple[int, int]:
        log = MemoryLog(8, asyncio.get_running_loop().time, lease_seconds=30.0)
        await _run(log, laid, 2)
        steps = causes = 0
        for slot in map(Slot, range(8)):
            entries = [one async for one in _entries(log, Topic.SLOTS, slot)]
            by_position = {int(one.position): one.record.value for one in entries}
            results: list[Record] = []
            last, before = (0, 0, b""), 0
            async for entry in _entries(log, Topic.COMMITS, slot):
                if entry.record.key != STEP_KEY:
                    results.append(entry.record)
                    message = committed(entry.record.value)
                    if isinstance(message, Correction):
                        assert decoded(by_position[message.cause])
                        causes += 1
                    continue
                step = StepRecord.of(entry.record)
                told = consumed(step.body)
                digest = b""
                for position, value in by_position.items():
                    digest = chained(digest, value) if position < step.position else digest
                assert told.inputs == digest
                assert told.outputs == results_digest(results)
                last = (before, step.position, told.outputs) if results else last
                before = step.position
                assert told.told == last
                assert told.runtime
                steps, results = steps + 1, []
        return steps, causes

    steps, causes = asyncio.run(main())
    assert steps > 20
    assert causes > 100


async def _entries(log: MemoryLog, topic: Topic, slot: Slot) -> AsyncIterator[Entry]:
    at = Position(0)
    while (batch := await log.read(topic, slot, at)).entries:
        for entry in batch.entries:
            yield entry
        at = batch.next


def test_input_that_changed_since_it_was_committed_is_refused(laid: Laid) -> None:
    async def main() -> None:
        log = MemoryLog(8, asyncio.get_running_loop().time, lease_seconds=30.0)
        await _run(log, laid, 1)
        read = log.read

        async def changed(topic: Topic, slot: Slot, start: Position, limit: int = 1000) -> Batch:
            batch = await read(topic, slot, start, limit)
            return Batch(batch.entries[:-1], batch.next) if topic is Topic.SLOTS else batch

        log.read = changed  # type: ignore[method-assign]
        await _run(log, laid, 1)

    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(main())
    assert "is not what was committed" in str(raised.value.exceptions[0])
