"""Workload W through one worker and a log, committed in slices, against the engine alone on the same blocks.

The worker reads records of 1,000 bars of each stream, computes, and commits every bucket of every node; what is timed
is its whole run, from joining to the last commit. Everything that an independent reader finds in the commit log is
compared with what the engine computed, bit for bit, before a time counts.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np

import qmtl_forms
from figures import Figure, case, show
from harness import interleaved, keep, options
from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.sql.log import SqlLog
from qmtl.core.flow.commit import STEP_KEY, Position, Slot, Topic
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.ir import NodeKind
from qmtl.ports.log import Log
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.messages import Correction, Events, Finished, Result, committed
from qmtl.runtime.worker.spread import Spread, spread
from qmtl.runtime.worker.worker import Worker
from workload import MINUTE, Workload, workload

TITLE = "Through a worker and a log"
SLICE = 1_000  # bars of a record
MOST = 3.0  # times as long as the engine alone, as was asked
LEASE_SECONDS = 60.0
SLOTS = (1, 8)


Open = Callable[[], Awaitable[Log]]


class Bars(Feed):
    """The bars of one symbol, from arrays."""

    def __init__(self, of: Workload, node_id: str, symbol: int, fields: tuple[str, ...]) -> None:
        self._node_id, self._time = node_id, of.times
        table = np.stack([of.field(name)[:, symbol] for name in fields], axis=1)
        self._values = np.ascontiguousarray(table)

    def read(self, position: int | str) -> tuple[Events | Finished | None, int]:
        """Positions are rows; after the last one the stream has ended."""
        position = int(position)
        if position >= len(self._time):
            ended = position == len(self._time)
            return (Finished(self._node_id), position + 1) if ended else (None, position)
        time, values = self._time[position : position + SLICE], self._values[position : position + SLICE]
        arrived = (time + MINUTE).tobytes()
        return Events(self._node_id, time.tobytes(), arrived, values.tobytes()), position + len(time)


def _laid(of: Workload, slots: int) -> tuple[Spread, dict[str, Bars]]:
    nodes, _ = qmtl_forms._graph(of.names)
    streams = [node for node in nodes.values() if node.kind is NodeKind.BARS]
    origins = {node.node_id: int(of.times[0]) for node in streams}
    laid = spread(nodes.values(), slots, origins, int(of.times[-1]) + MINUTE)
    number = {name: n for n, name in enumerate(of.names)}
    feeds = {
        one.node_id: Bars(of, one.node_id, number[one.stream or ""], tuple(one.outputs)) for one in streams
    }
    return laid, feeds


async def _work(open_log: Open, laid: Spread, feeds: dict[str, Bars], of: Workload | None = None) -> float:
    """Seconds; what is in the log afterwards is compared with what the engine computes where `of` is given."""
    log = await open_log()
    try:
        worker, idle = Worker(log, laid, feeds, "bench", poll_seconds=0.01), 0

        def stop(nothing: bool) -> bool:
            nonlocal idle
            idle = idle + 1 if nothing else 0
            return idle > 1 and len(worker.counts.slots) == log.slots

        began = perf_counter()
        await worker.run(stop)
        seconds = perf_counter() - began
        if of is not None:
            _compare(await _found(log, of), of)
        return seconds
    finally:
        await log.close()


async def _found(log: Log, of: Workload) -> dict[str, np.ndarray]:
    """The first output of every node by bucket, as a reader of the commit log finds it."""
    found: dict[str, np.ndarray] = {}
    for slot in range(log.slots):
        at = Position(0)
        while (batch := await log.read(Topic.COMMITS, Slot(slot), at, 10_000)).entries:
            at = batch.next
            for entry in batch.entries:
                if entry.record.key != STEP_KEY:
                    _add(found, committed(entry.record.value), of)
    return found


def _add(found: dict[str, np.ndarray], told: Result | Correction, of: Workload) -> None:
    if isinstance(told, Correction):
        raise SystemExit(f"{told.node_id}: a correction, where everything came in order")
    status = np.frombuffer(told.closed.status, np.uint8)
    values = np.frombuffer(told.closed.values, np.float64).reshape(len(status), -1)
    first = (told.closed.bucket - int(of.times[0])) // MINUTE
    here = found.setdefault(told.node_id, np.full(of.rows, np.nan))[first : first + len(status)]
    if not np.isnan(here).all():
        raise SystemExit(f"{told.node_id}: a bucket twice")
    here[:] = np.where(status == VALUE, values[:, 0], np.nan)


def _compare(found: dict[str, np.ndarray], of: Workload) -> None:
    _, outputs = qmtl_forms.blocks(of)
    _, made = qmtl_forms._graph(of.names)
    for name, node in made.items():
        label, _, symbol = name.partition(" ")
        wanted = outputs[label][:, of.names.index(symbol)] if symbol else outputs[label]
        if not np.array_equal(found[node.node_id].view(np.int64), wanted.view(np.int64)):
            raise SystemExit(f"{name}: the log has something else than the engine computes")


def main() -> None:
    given = options(("small", "mid"), __doc__)
    cases = {}
    for size in given.sizes:
        of = workload(size)
        figures = _figures(of, given.rounds)
        label = f"{of.symbols} symbols × {of.rows:,} minutes"
        show(f"{TITLE}: {label}", figures)
        cases[label] = case(figures, symbols=of.symbols, rows=of.rows)
    keep("worker", TITLE, cases, given)


def _figures(of: Workload, rounds: int) -> dict[str, Figure]:
    runs: dict[str, Callable[[], float]] = {}
    cuts = list(pairwise([*range(0, of.rows * of.symbols, SLICE * of.symbols), of.rows * of.symbols]))
    runs["the engine alone"] = lambda: qmtl_forms._run(of, cuts)[0]
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(10_000))
        for slots in SLOTS:
            laid, feeds = _laid(of, slots)

            async def memory(slots: int = slots) -> Log:
                return MemoryLog(slots, asyncio.get_running_loop().time, lease_seconds=LEASE_SECONDS)

            async def sqlite(slots: int = slots) -> Log:
                path = Path(folder, f"{next(count)}.sqlite")
                return await SqlLog.open(f"sqlite:///{path}", slots, lease_seconds=LEASE_SECONDS)

            for name, made in (("memory", memory), ("SQLite", sqlite)):
                asyncio.run(_work(made, laid, feeds, of))
                run = lambda made=made, laid=laid, feeds=feeds: asyncio.run(_work(made, laid, feeds))  # noqa: E731
                runs[f"{name}, slots: {slots}"] = run
        samples = interleaved(runs, rounds)
    alone = samples["the engine alone"].best
    figures = {"the engine alone": Figure(alone * 1e3, "ms")}
    for name, sample in samples.items():
        if name != "the engine alone":
            figures[name] = Figure(
                sample.best * 1e3, "ms", None, f"{of.bars / sample.best / 1e6:.2f} M bars/s"
            )
            figures[f"{name}, of the engine"] = Figure(sample.best / alone, "×", MOST)
    return figures


if __name__ == "__main__":
    main()
