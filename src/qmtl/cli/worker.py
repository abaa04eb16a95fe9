"""`qmtl worker`: joins the group of a log and computes the slots it is given."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from rich.console import Console

from qmtl import UserError
from qmtl.cli.backtest import data_of
from qmtl.cli.loading import pairs_of
from qmtl.runtime.compiling import when_compiling
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.worker.feed import Pace
from qmtl.runtime.worker.live import live_feeds, live_spread, past_of
from qmtl.runtime.worker.starting import Manner, answered, made, worker_over, worker_with_history
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.runner import concrete, loaded
from qmtl.sdk.strategy import Strategy
from qmtl.wiring import beside, leased, snapshot_store, topic_records, wall_clock
from qmtl.wiring import log as open_log

MOST_PORT = 65535


@dataclass(frozen=True)
class Asked:
    """What the options of `qmtl worker` say."""

    data: Sequence[str]
    catalog: str | None
    tz: str | None
    stamp: str
    log: str | None
    lease: str | None
    idle: float | None
    snapshots: str | None
    snapshot_every: float
    retries: int
    metrics: str | None
    follow: bool
    history: Sequence[str]
    replay: float | None
    origin: str | None


Make = Callable[[Any, str, Manner], Awaitable[Worker]]


def work(strategy: Strategy, asked: Asked, *, quiet: bool) -> dict[str, Any]:
    """Work until SIGTERM or SIGINT, or until there was nothing to do for so long; says what was done."""
    console = Console(stderr=True, quiet=quiet)
    make = _live(strategy, asked) if asked.follow else _over_files(strategy, asked)
    with when_compiling(
        lambda: console.print("[dim]compiling operators: this takes up to a minute, once[/]")
    ):
        return asyncio.run(_work(make, asked, console))


def _over_files(strategy: Strategy, asked: Asked) -> Make:
    """Files that are there, as fast as may be, or at the pace of a replay."""
    if asked.origin is not None:
        raise UserError(
            "files that are there say it themselves", place="--origin", cure="it goes with --follow"
        )
    if asked.history:
        raise UserError(
            "what came before is for streams that go on",
            place="--history",
            value=asked.history[0],
            cure="it goes with --follow; files that are there are --data",
        )
    graphs, arrivals = loaded(*concrete(strategy, data_of(asked.data, asked.catalog, asked.tz, asked.stamp)))
    if asked.replay is not None and asked.replay <= 0:
        raise UserError(
            "no speed", place="--replay", value=asked.replay, cure="1 is as fast as time, 60 faster"
        )
    pace = None if asked.replay is None else Pace(asked.replay)

    async def make(log: Any, name: str, manner: Manner) -> Worker:
        return await worker_over(log, graphs, arrivals, name, replace(manner, pace=pace))

    return make


def _live(strategy: Strategy, asked: Asked) -> Make:
    """Files that grow, folders, topics."""
    if asked.replay is not None:
        raise UserError("either of the two", place="--replay", cure="a replay is of files that are there")
    topics, files = {}, []
    for one in asked.data:
        stream, _, where = one.partition("=")
        if where.startswith("kafka://"):
            topics[stream] = partial(topic_records, where)
        else:
            files.append(one)
    some = files or asked.catalog is not None or not topics
    given = data_of(files, asked.catalog, asked.tz, asked.stamp) if some else {}
    graphs, data = concrete(strategy, given)
    feeds = live_feeds(graphs, data, topics, wall_clock, asked.tz, asked.stamp)

    past = None
    if asked.history:
        before = data_of(asked.history, None, asked.tz, asked.stamp)
        past = past_of(graphs, before, pairs_of(asked.history, "--history"))

    async def make(log: Any, name: str, manner: Manner) -> Worker:
        laid = await live_spread(log, graphs, feeds, asked.origin, past)
        manner = replace(manner, clock=wall_clock)
        if past is None:
            return made(log, laid, feeds, name, manner)
        return await worker_with_history(log, laid, feeds, past, name, manner)

    return make


async def _work(make: Make, asked: Asked, console: Console) -> dict[str, Any]:
    say = partial(console.print, highlight=False)
    log = await answered(lambda: open_log(asked.log), say)
    try:
        if asked.lease is not None:
            log = await answered(partial(leased, log, asked.lease, asked.log or "qmtl"), say)
        name = f"{socket.gethostname()}/{os.getpid()}"
        manner = Manner(
            snapshot_store(asked.snapshots),
            asked.snapshot_every,
            asked.retries,
            beside=beside(asked.lease or asked.log),
        )
        worker = await make(log, name, manner)
        if asked.metrics is not None:
            host, port = address(asked.metrics)
            port = worker.metrics.serve(host, port)
            say(f"metrics at {host}:{port}/metrics")
        say(f"worker {name} on {await answered(log.version, say)}, {log.slots} slots")
        leaving = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, leaving.set)
        await worker.run(_until(worker, leaving, asked.idle, console))
        counts = asdict(worker.counts) | {"slots": sorted(worker.counts.slots)}
        counts["metrics"] = worker.metrics.summary()
        say(f"left after {counts['steps']:,} steps, {counts['results']:,} results")
        return counts
    finally:
        await log.close()


def _until(
    worker: Worker, leaving: asyncio.Event, idle_seconds: float | None, console: Console
) -> Callable[[bool], bool]:
    since, shown = stopwatch(), stopwatch()

    def stop(nothing: bool) -> bool:
        nonlocal since, shown
        now = stopwatch()
        if not nothing:
            since = now
        if now - shown > 5.0 and not nothing:
            counts, shown = worker.counts, now
            console.print(
                f"slots {len(counts.slots)}, steps {counts.steps:,}, results {counts.results:,}",
                highlight=False,
            )
        return leaving.is_set() or (idle_seconds is not None and now - since >= idle_seconds)

    return stop


def address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``port``, which is of this machine alone. Raises UserError."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > MOST_PORT:
        raise UserError("not an address", place="--metrics", value=text, cure="9100, or host:9100")
    return host or "127.0.0.1", int(port)
