"""Workers whose streams do not end: files that grow, folders, topics, and what a process hands over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from qmtl.core.errors import UserError
from qmtl.core.flow.catalog import Catalog, Reading
from qmtl.core.flow.commit import Position, Slot, Topic
from qmtl.core.flow.instant import parse_instant
from qmtl.core.flow.timeline import FOREVER
from qmtl.core.graph.ir import Graph, Node
from qmtl.ports.log import Log
from qmtl.ports.records import Records
from qmtl.runtime.arrivals import Arrivals
from qmtl.runtime.backtest import unique_nodes, wanted_sources
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.sources import growing, load
from qmtl.runtime.sources_table import Wanted
from qmtl.runtime.worker.feed import Feed, Now
from qmtl.runtime.worker.growing import GrowingFile, GrowingFolder
from qmtl.runtime.worker.messages import Events, Plan, decoded
from qmtl.runtime.worker.spread import STREAMS, Spread, spread
from qmtl.runtime.worker.starting import data_digests
from qmtl.runtime.worker.topic import TopicFeed

FIRST_SECONDS, LOOK_SECONDS = 10.0, 0.1
LOOKED = 100  # records of a slot in which its plan is looked for


def streams_of(graphs: Iterable[Graph]) -> list[tuple[Node, Wanted]]:
    """The streams that strategies read, and what of them."""
    graphs = list(graphs)
    nodes = unique_nodes(graphs)
    streams = [node for node in nodes.values() if node.kind in STREAMS]
    return list(zip(streams, wanted_sources(nodes.values(), graphs), strict=True))


def live_feeds(
    graphs: Iterable[Graph],
    data: object,
    topics: Mapping[str, Callable[[], Records]],
    now: Now,
    tz: str | None = None,
    stamp: str = "open",
) -> dict[str, Feed]:
    """What brings the streams in, by node id: those of `topics` (by stream) from there, the others from files and
    folders of `data`. `tz`, `stamp`: of the times in topics. Raises UserError, Unavailable.
    """
    reading = Catalog("", tz=tz, stamp=stamp).reading(Reading())
    feeds: dict[str, Feed] = {}
    for node, wanted in streams_of(graphs):
        if wanted.id in topics:
            feeds[node.node_id] = TopicFeed(node, wanted, topics[wanted.id](), reading, now)
        else:
            path, how = growing(data, wanted)
            of = GrowingFolder if path.is_dir() else GrowingFile
            feeds[node.node_id] = of(node, wanted, Path(path), how, now)
    return feeds


async def live_spread(
    log: Log,
    graphs: Iterable[Graph],
    feeds: Mapping[str, Feed],
    origin: str | None = None,
    history: Arrivals | None = None,
) -> Spread:
    """The nodes over the slots of a log. A stream's origin (E10) is the one that the log has; in a new log it is
    `origin`, or else the first event's time, of `history` where that has any. Raises UserError, Unavailable.
    """
    begun = {} if history is None else history.earliest()
    graphs, given = list(graphs), None if origin is None else parse_instant(origin, "origin")
    known = await registered(log)
    origins = {}
    for node, wanted in streams_of(graphs):
        at = known.get(node.node_id, given)
        at = begun.get(wanted.key) if at is None else at
        if at is None:
            at = await _first(feeds[node.node_id], wanted)
        origins[node.node_id] = at - at % (wanted.interval_ns or 1)
    data = [] if history is None else data_digests(history)
    return spread(unique_nodes(graphs).values(), log.slots, origins, FOREVER, data)


def past_of(graphs: Iterable[Graph], data: object, given: Collection[str]) -> Arrivals:
    """What came before, of the streams `given`, which is in `data`. Raises UserError."""
    read = [wanted for _, wanted in streams_of(graphs)]
    unknown = {*given} - {wanted.id for wanted in read}
    if unknown:
        raise UserError(
            "no strategy reads this stream",
            place="history",
            value=min(unknown),
            cure="name one that is followed",
        )
    return load(data, [wanted for wanted in read if wanted.id in given], finished=False)


async def registered(log: Log) -> dict[str, int]:
    """The origins (ns) of the streams that a log has, by node id; none in a new one."""
    for slot in range(log.slots):
        batch = await log.read(Topic.SLOTS, Slot(slot), Position(0), LOOKED)
        for entry in batch.entries:
            for message in decoded(entry.record.value):
                if isinstance(message, Plan):
                    return message.origins
    return {}


async def _first(feed: Feed, wanted: Wanted) -> int:
    """The time of the earliest event of those that come first."""
    since = stopwatch()
    position: int | str = 0
    while stopwatch() - since < FIRST_SECONDS:
        message, position = feed.read(position)
        if isinstance(message, Events):
            return int(np.frombuffer(message.event_ns, np.int64).min())
        await asyncio.sleep(LOOK_SECONDS)
    raise UserError(
        "a stream without an event does not say where it begins",
        place=f"the stream {wanted.key}",
        value=f"nothing within {FIRST_SECONDS:.0f} s",
        cure="say it: --origin 2026-01-01, or start when there is one",
    )
