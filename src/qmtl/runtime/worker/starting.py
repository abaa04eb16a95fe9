"""From strategies and files to a worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from qmtl.core.errors import Unavailable
from qmtl.core.graph.ir import Graph
from qmtl.ports.blobs import Blobs
from qmtl.ports.log import Log
from qmtl.runtime.backtest import last_end, unique_nodes
from qmtl.runtime.here import runtime_of
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.snapshots import Reason, Snapshots
from qmtl.runtime.worker.feed import Feed, TableFeed
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


def worker_over(
    log: Log,
    graphs: Iterable[Graph],
    arrivals: Any,
    name: str,
    store: Blobs | None = None,
    snapshot_seconds: float = EVERY_SECONDS,
    retries: int = 0,
) -> Worker:
    """A worker that computes `graphs` over arrivals that were loaded from files; snapshots go to `store`."""
    laid, feeds = laid_out(log.slots, graphs, arrivals)
    metrics = Metrics()
    keeping = None if store is None else kept_in(store, laid, metrics, snapshot_seconds)
    return Worker(log, laid, feeds, name, keeping=keeping, metrics=metrics, retries=retries)


def kept_in(store: Blobs, laid: Spread, metrics: Metrics, every_seconds: float = EVERY_SECONDS) -> Keeping:
    """Who keeps snapshots of the slots of `laid` in a store."""

    def rejected(reason: Reason, why: str) -> None:
        metrics.snapshot_rejected.labels(reason.value).inc()
        _log.warning("%s: %s", reason.value, why)

    snapshots = Snapshots(store, runtime_of(laid.nodes.values()), watch=stopwatch, rejected=rejected)
    return Keeping(snapshots, laid, stopwatch, rejected, every_seconds)


def laid_out(slots: int, graphs: Iterable[Graph], arrivals: Any) -> tuple[Spread, Mapping[str, Feed]]:
    """The nodes of `graphs` over the slots, and what brings their events in."""
    nodes = unique_nodes(graphs)
    streams = [node for node in nodes.values() if node.kind in STREAMS]
    earliest = {(key.id, key.interval_ns): at for key, at in arrivals.earliest().items()}
    end = last_end(nodes, arrivals)
    origins = {one.node_id: earliest.get((one.stream or "", one.interval_ns), end) for one in streams}
    data = [f"{key}={digest}" for key, digest in sorted(arrivals.digests.items(), key=str)]
    laid = spread(nodes.values(), slots, origins, end, data)
    return laid, {node.node_id: TableFeed(node, arrivals) for node in streams}
