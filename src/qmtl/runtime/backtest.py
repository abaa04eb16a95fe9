"""A backtest: graphs and arrivals in, a run out. The same engine as everywhere, fed from tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from qmtl.core.errors import UserError
from qmtl.core.flow.building import build
from qmtl.core.flow.engine import Engine
from qmtl.core.flow.feed import CLOCK_TICK, EVENT
from qmtl.core.flow.instant import instant_text
from qmtl.core.flow.reuse import Reuse
from qmtl.core.flow.timeline import NEVER, floor_to
from qmtl.core.graph.ir import Graph, Node, NodeKind
from qmtl.core.graph.walk import roots, topological
from qmtl.runtime.arrivals import Arrivals, SourceKey
from qmtl.runtime.sources_table import Wanted

CHUNK = 1 << 18  # arrivals between two reports of progress

Progress = Callable[[int, int], None]  # arrivals done, arrivals in all

STREAMS = (NodeKind.BARS, NodeKind.TICKS)


@dataclass(frozen=True, slots=True, eq=False)
class Executed:
    """An engine that has seen all its arrivals. `bars`: what is traded, by node id, read once for all strategies."""

    engine: Engine
    arrivals: Arrivals
    nodes: dict[str, Node]  # by id, in topological order
    start: int
    end: int
    bars: dict[str, Any] = field(default_factory=dict)


def unique_nodes(graphs: Iterable[Graph]) -> dict[str, Node]:
    """Every node the graphs compute, by id: what several declare is there once."""
    wanted = [node for graph in graphs for node in roots(graph)]
    found: dict[str, Node] = {}
    for node in topological(wanted):
        found.setdefault(node.node_id, node)
    return found


def wanted_sources(nodes: Iterable[Node], graphs: Iterable[Graph]) -> list[Wanted]:
    """The streams that `nodes` read, with the fields that somebody uses, shows or trades."""
    nodes = list(nodes)
    used: dict[str, set[str]] = {}
    for graph in graphs:
        for column in graph.outputs.values():
            used.setdefault(column.node.node_id, set()).add(column.column)
        for stream, weight in graph.targets.values():
            used.setdefault(stream.node_id, set()).update({"open", "close"} & set(stream.outputs))
            used.setdefault(weight.node.node_id, set()).add(weight.column)
    for node in nodes:
        for edge in node.edges:
            used.setdefault(edge.node.node_id, set()).update(edge.columns)
    return [
        Wanted(
            n.stream or "",
            n.interval_ns,
            n.outputs,
            n.event_time.identity,
            frozenset(used.get(n.node_id, ())),
        )
        for n in nodes
        if n.kind in STREAMS and n.event_time is not None
    ]


def needs_clock(nodes: Iterable[Node]) -> bool:
    """Whether some source can be idle, so that clock ticks matter (E11)."""
    return any(n.event_time is not None and n.event_time.idle_timeout_ns is not None for n in nodes)


def execute(
    nodes: dict[str, Node],
    arrivals: Arrivals,
    *,
    start: int | None,
    end: int | None,
    origin: int | Mapping[str, int] | None,
    progress: Progress | None = None,
    record: Sequence[str] = (),
    reuse: Reuse | None = None,
    cuts: Sequence[int] | None = None,
) -> Executed:
    """Run `nodes` over `arrivals`, cut before those numbered `cuts` (default: where it is quick).

    `origin` (ns): of every stream, or by node id; default each stream's earliest data (E10). `record`: node ids whose
    inputs are kept with every emission. `reuse`: who keeps slices of author's nodes.
    """
    given, bounded = arrivals, end is not None
    end = last_end(nodes, arrivals) if end is None else end
    arrivals = _until(arrivals, end, bounded)
    _check_range(given, arrivals, start, end)
    streams: dict[SourceKey, list[Node]] = {}
    for node in nodes.values():
        if node.kind in STREAMS:
            streams.setdefault(SourceKey(node.stream or "", node.interval_ns), []).append(node)
    origins = _origins(streams, arrivals, origin, end)
    engine = Engine(
        build(list(nodes.values())),
        [streams[key] for key in arrivals.sources],
        list(arrivals.fields),
        origins,
        end,
        reuse,
    )
    for node_id in record:
        group, lane = engine.plan.home[node_id]
        engine.flow.log.inputs[group.index, lane] = []
    _reserve(engine, arrivals)
    feed(engine, arrivals, progress, cuts)
    return Executed(
        engine, arrivals, nodes, start if start is not None else min(origins.values(), default=0), end
    )


def _origins(
    streams: Mapping[SourceKey, list[Node]],
    arrivals: Arrivals,
    origin: int | Mapping[str, int] | None,
    end: int,
) -> dict[str, int]:
    if isinstance(origin, Mapping):
        return dict(origin)
    earliest = arrivals.earliest()
    return {
        node.node_id: (earliest.get(key, end) if origin is None else origin)
        for key, members in streams.items()
        for node in members
    }


def _reserve(engine: Engine, arrivals: Arrivals) -> None:
    """Room for all that will come."""
    times = arrivals.event_ns[arrivals.kind == EVENT]
    for interval, timeline in engine.plan.timelines.items() if len(times) else ():
        timeline.reserve(floor_to(int(times.min()), interval), floor_to(int(times.max()), interval))


def feed(
    engine: Engine, arrivals: Arrivals, progress: Progress | None, cuts: Sequence[int] | None = None
) -> None:
    """Advance the engine over all arrivals, in chunks (how they are cut changes nothing: E15)."""
    total = len(arrivals)
    reuse = engine.flow.reuse
    if cuts is not None:
        chosen = sorted({0, *(cut for cut in cuts if 0 < cut < total)})
    elif reuse is None:
        chosen = list(range(0, total, CHUNK))
    else:
        chosen = boundaries(arrivals, min(engine.plan.timelines), reuse.span)
    for at, stop in pairwise([*chosen, total]):
        engine.advance(arrivals, at, stop)
        if progress is not None:
            progress(stop, total)


def boundaries(arrivals: Arrivals, finest: int, span: int) -> list[int]:
    """Where the first event arrives that lies beyond a boundary of slices: what ends before it has closed by then.

    `finest`: the shortest interval (ns); `span`: how many buckets of it lie between two boundaries.
    """
    if not len(arrivals):
        return []
    buckets = np.where(arrivals.kind == EVENT, arrivals.event_ns // (span * finest), NEVER)
    number = np.maximum.accumulate(buckets)
    return [0, *(np.flatnonzero(np.diff(number)) + 1).tolist()]


def last_end(nodes: dict[str, Node], arrivals: Arrivals) -> int:
    """Where the data ends: the last bar's end; the last tick's bucket in the finest interval that reads it."""
    finest = min(
        (
            n.interval_ns
            for n in nodes.values()
            if n.interval_ns and any(e.node.interval_ns is None for e in n.edges)
        ),
        default=1,
    )
    last = 0
    events = arrivals.kind == EVENT
    for number, key in enumerate(arrivals.sources):
        mine = arrivals.event_ns[events & (arrivals.source == number)]
        if not len(mine):
            continue
        top = int(mine.max())
        last = max(
            last, top // finest * finest + finest if key.interval_ns is None else top + key.interval_ns
        )
    return last


def _check_range(given: Arrivals, kept: Arrivals, start: int | None, end: int) -> None:
    """Refuse a range in which nothing happens: all would be empty, and nobody would know why."""
    first = NEVER if start is None else start
    events = given.event_ns[given.kind == EVENT]
    if not len(events) or bool(np.any(kept.event_ns[kept.kind == EVENT] >= first)):
        return
    raise UserError(
        "no data between start and end",
        place="start, end",
        value=f"{'-' if start is None else instant_text(start)} … {instant_text(end)}",
        cure=f"the data goes from {instant_text(int(events.min()))} to {instant_text(int(events.max()))}",
    )


def _until(arrivals: Arrivals, end: int, bounded: bool) -> Arrivals:
    """Without the events that lie beyond the run's end; where that is `bounded` by the caller, without later ticks too.

    Else a tick after the last event still counts: it can find a source idle (E11).
    """
    interval = np.array([key.interval_ns or 1 for key in arrivals.sources] + [0], np.int64)
    beyond = (arrivals.kind == EVENT) & (arrivals.event_ns > end - interval[arrivals.source])
    if bounded:
        beyond |= (arrivals.kind == CLOCK_TICK) & (arrivals.available_ns > end)
    if not beyond.any():
        return arrivals
    keep = ~beyond
    columns: dict[str, Any] = {
        name: getattr(arrivals, name)[keep] for name in ("kind", "source", "row", "event_ns", "available_ns")
    }
    return replace(arrivals, **columns)
