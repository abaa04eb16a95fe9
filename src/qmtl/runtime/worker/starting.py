"""From strategies and files to a worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qmtl.core.graph.ir import Graph
from qmtl.ports.log import Log
from qmtl.runtime.backtest import last_end, unique_nodes
from qmtl.runtime.worker.feed import Feed, TableFeed
from qmtl.runtime.worker.spread import STREAMS, Spread, spread
from qmtl.runtime.worker.worker import Worker


def worker_over(log: Log, graphs: Iterable[Graph], arrivals: Any, name: str) -> Worker:
    """A worker that computes `graphs` over arrivals that were loaded from files."""
    laid, feeds = laid_out(log.slots, graphs, arrivals)
    return Worker(log, laid, feeds, name)


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
