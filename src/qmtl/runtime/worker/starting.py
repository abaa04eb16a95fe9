"""From strategies and files to a worker."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from qmtl.core.errors import Unavailable, UserError
from qmtl.core.flow.reuse import SPAN
from qmtl.core.graph.ir import Graph, Node
from qmtl.ports.blobs import Blobs
from qmtl.ports.lease import Leases
from qmtl.ports.log import Log
from qmtl.runtime.arrivals import Arrivals
from qmtl.runtime.backtest import last_end, needs_clock, unique_nodes
from qmtl.runtime.here import runtime_of
from qmtl.runtime.metrics import Metrics
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.slices import SliceCache
from qmtl.runtime.snapshots import Reason, Snapshots
from qmtl.runtime.worker.feed import Feed, Now, Pace, TableFeed
from qmtl.runtime.worker.historian import Historian, lease_of
from qmtl.runtime.worker.history import History
from qmtl.runtime.worker.history_feed import HistoryFeed
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
class Beside:
    """What computing history beside the slots needs: leases of jobs by name, and slices in the manner's store."""

    leases: Callable[[Iterable[str]], Awaitable[Leases]]
    slices: Callable[[Blobs], SliceCache]
    span: int = SPAN  # buckets between the boundaries of slices


@dataclass(frozen=True)
class Manner:
    """How a worker works. `pace`: of a replay; `clock`: the time by which streams fall idle, if they do; `beside`: what
    history is computed with, where the slots' owners do not compute it themselves.
    """

    store: Blobs | None = None  # of snapshots
    snapshot_seconds: float = EVERY_SECONDS
    retries: int = 0
    pace: Pace | None = None
    clock: Now | None = None
    beside: Beside | None = None


async def worker_over(
    log: Log, graphs: Iterable[Graph], arrivals: Arrivals, name: str, manner: Manner = Manner()
) -> Worker:
    """A worker that computes `graphs` over arrivals that were loaded from files.

    Raises UserError where a stream may fall idle, and there is no time by which it could; Unavailable.
    """
    laid = laid_out(log.slots, graphs, arrivals)
    if manner.pace is None and needs_clock(laid.nodes.values()):
        raise UserError(
            "streams with an idle_timeout need a clock",
            place="qmtl worker",
            cure="--replay SPEED takes the files' own time, --follow that of the machine; or leave idle_timeout out",
        )
    if manner.pace is None:
        return await worker_with_history(log, laid, {}, arrivals, name, manner)
    streams = [node for node in laid.nodes.values() if node.kind in STREAMS]
    feeds = {node.node_id: TableFeed(node, arrivals, pace=manner.pace) for node in streams}
    return made(log, laid, feeds, name, manner)


async def worker_with_history(
    log: Log,
    laid: Spread,
    feeds: Mapping[str, Feed],
    arrivals: Arrivals,
    name: str,
    manner: Manner,
) -> Worker:
    """A worker for streams whose past, or all, is in `arrivals`; `feeds`: what follows, of those that go on.

    What authors' functions come to over the past is computed beside the slots where the manner says with what, and
    there is something to compute.
    """
    historian, metrics = None, Metrics()
    store, beside = manner.store, manner.beside
    history = History(laid, arrivals, SPAN if beside is None else beside.span)
    if store is not None and beside is not None and history.jobs:
        leases = await beside.leases([lease_of(history, job) for job in history.jobs])
        slices = partial(beside.slices, store)
        historian = Historian(history, leases, store, slices, name, stopwatch, metrics=metrics)
        laid = replace(laid, slices=slices)
    known = {
        node.node_id: HistoryFeed(node, history, _ready(history, historian, node), feeds.get(node.node_id))
        for node in laid.nodes.values()
        if node.kind in STREAMS and history.has(node)
    }
    return made(log, laid, {**feeds, **known}, name, manner, metrics, historian)


def _ready(history: History, historian: Historian | None, stream: Node) -> Callable[[], int]:
    if historian is None:
        return lambda: history.segments
    return partial(historian.ready, stream.node_id)


def made(
    log: Log,
    laid: Spread,
    feeds: Mapping[str, Feed],
    name: str,
    manner: Manner,
    metrics: Metrics | None = None,
    historian: Historian | None = None,
) -> Worker:
    """A worker for nodes that were laid out over the slots of a log; snapshots go to the manner's store."""
    metrics = Metrics() if metrics is None else metrics
    keeping = None if manner.store is None else kept_in(manner.store, laid, metrics, manner.snapshot_seconds)
    clock = manner.clock if manner.pace is None else manner.pace.now
    return Worker(
        log,
        laid,
        feeds,
        name,
        keeping=keeping,
        metrics=metrics,
        retries=manner.retries,
        clock=clock,
        historian=historian,
    )


def kept_in(store: Blobs, laid: Spread, metrics: Metrics, every_seconds: float = EVERY_SECONDS) -> Keeping:
    """Who keeps snapshots of the slots of `laid` in a store."""

    def rejected(reason: Reason, why: str) -> None:
        metrics.snapshot_rejected.labels(reason.value).inc()
        _log.warning("%s: %s", reason.value, why)

    snapshots = Snapshots(store, runtime_of(laid.nodes.values()), watch=stopwatch, rejected=rejected)
    return Keeping(snapshots, laid, stopwatch, rejected, every_seconds)


def laid_out(slots: int, graphs: Iterable[Graph], arrivals: Arrivals) -> Spread:
    """The nodes of `graphs` over the slots, for streams that begin and end with `arrivals`."""
    nodes = unique_nodes(graphs)
    streams = [node for node in nodes.values() if node.kind in STREAMS]
    earliest = {(key.id, key.interval_ns): at for key, at in arrivals.earliest().items()}
    end = last_end(nodes, arrivals)
    origins = {one.node_id: earliest.get((one.stream or "", one.interval_ns), end) for one in streams}
    return spread(nodes.values(), slots, origins, end, data_digests(arrivals))


def data_digests(arrivals: Arrivals) -> list[str]:
    """What was read, by stream."""
    return [f"{key}={digest}" for key, digest in sorted(arrivals.digests.items(), key=str)]
