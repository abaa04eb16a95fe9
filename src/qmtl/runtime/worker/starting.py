"""From strategies and files to a worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from qmtl.core.errors import Unavailable, UserError
from qmtl.core.graph.ir import Graph
from qmtl.ports.blobs import Blobs
from qmtl.ports.log import Log
from qmtl.runtime.backtest import last_end, needs_clock, unique_nodes
from qmtl.runtime.here import runtime_of
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.snapshots import Reason, Snapshots
from qmtl.runtime.worker.feed import Feed, Now, Pace, TableFeed
from qmtl.runtime.worker.keeping import EVERY_SECONDS, Keeping
from qmtl.runtime.worker.spread import STREAMS, Spread, spread
from qmtl.runtime.worker.worker import Worker

_log = logging.getLogger("qmtl.worker")
Found = TypeVar("Found")
WAIT_SECONDS, LOOK_SECONDS = 60.0, 0.5


async def answered(ask: Callable[[], Awaitable[Found]], say: Callable[[str], object]) -> Found:
    """What a server answers; one that is away, or not up yet, is waited for. Raises Unavailable after a minute."""
    since, told = stopwatch(), False
    while True:
        try:
            return await ask()
        except Unavailable as away:
            if stopwatch() - since > WAIT_SECONDS:
                raise
            if not told:
                say(f"waiting up to {WAIT_SECONDS:.0f} s: {away}")
            told = True
        await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True)
class Manner:
    """How a worker works. `pace`: of a replay; `clock`: the time by which streams fall idle, if they do."""

    store: Blobs | None = None  # of snapshots
    snapshot_seconds: float = EVERY_SECONDS
    retries: int = 0
    pace: Pace | None = None
    clock: Now | None = None


def worker_over(
    log: Log, graphs: Iterable[Graph], arrivals: Any, name: str, manner: Manner = Manner()
) -> Worker:
    """A worker that computes `graphs` over arrivals that were loaded from files.

    Raises UserError where a stream may fall idle, and there is no time by which it could.
    """
    laid, feeds = laid_out(log.slots, graphs, arrivals, manner.pace)
    if manner.pace is None and needs_clock(laid.nodes.values()):
        raise UserError(
            "streams with an idle_timeout need a clock",
            place="qmtl worker",
            cure="--replay SPEED takes the files' own time, --follow that of the machine; or leave idle_timeout out",
        )
    return made(log, laid, feeds, name, manner)


def made(log: Log, laid: Spread, feeds: Mapping[str, Feed], name: str, manner: Manner) -> Worker:
    """A worker for nodes that were laid out over the slots of a log; snapshots go to the manner's store."""
    metrics = Metrics()
    keeping = None if manner.store is None else kept_in(manner.store, laid, metrics, manner.snapshot_seconds)
    clock = manner.clock if manner.pace is None else manner.pace.now
    return Worker(
        log, laid, feeds, name, keeping=keeping, metrics=metrics, retries=manner.retries, clock=clock
    )


def kept_in(store: Blobs, laid: Spread, metrics: Metrics, every_seconds: float = EVERY_SECONDS) -> Keeping:
    """Who keeps snapshots of the slots of `laid` in a store."""

    def rejected(reason: Reason, why: str) -> None:
        metrics.snapshot_rejected.labels(reason.value).inc()
        _log.warning("%s: %s", reason.value, why)

    snapshots = Snapshots(store, runtime_of(laid.nodes.values()), watch=stopwatch, rejected=rejected)
    return Keeping(snapshots, laid, stopwatch, rejected, every_seconds)


def laid_out(
    slots: int, graphs: Iterable[Graph], arrivals: Any, pace: Pace | None = None
) -> tuple[Spread, Mapping[str, Feed]]:
    """The nodes of `graphs` over the slots, and what brings their events in."""
    nodes = unique_nodes(graphs)
    streams = [node for node in nodes.values() if node.kind in STREAMS]
    earliest = {(key.id, key.interval_ns): at for key, at in arrivals.earliest().items()}
    end = last_end(nodes, arrivals)
    origins = {one.node_id: earliest.get((one.stream or "", one.interval_ns), end) for one in streams}
    data = [f"{key}={digest}" for key, digest in sorted(arrivals.digests.items(), key=str)]
    laid = spread(nodes.values(), slots, origins, end, data)
    return laid, {node.node_id: TableFeed(node, arrivals, pace=pace) for node in streams}
