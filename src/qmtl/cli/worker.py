"""`qmtl worker`: joins the group of a log and computes the slots it is given."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from rich.console import Console

from qmtl import UserError
from qmtl.cli.backtest import data_of
from qmtl.runtime.compiling import when_compiling
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.worker.starting import answered, worker_over
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.runner import concrete, loaded
from qmtl.sdk.strategy import Strategy
from qmtl.wiring import leased, snapshot_store
from qmtl.wiring import log as open_log

MOST_PORT = 65535


def work(
    strategy: Strategy,
    data: Sequence[str],
    catalog: str | None,
    tz: str | None,
    stamp: str,
    url: str | None,
    lease: str | None,
    idle_seconds: float | None,
    snapshots: str | None,
    snapshot_seconds: float,
    retries: int,
    metrics: str | None,
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Work until SIGTERM or SIGINT, or until there was nothing to do for `idle_seconds`; says what was done."""
    console = Console(stderr=True, quiet=quiet)
    graphs, arrivals = loaded(*concrete(strategy, data_of(data, catalog, tz, stamp)))
    with when_compiling(
        lambda: console.print("[dim]compiling operators: this takes up to a minute, once[/]")
    ):
        kept = (snapshot_store(snapshots), snapshot_seconds, retries)
        return asyncio.run(_work(graphs, arrivals, (url, lease), idle_seconds, kept, metrics, console))


async def _work(
    graphs: Any,
    arrivals: Any,
    urls: tuple[str | None, str | None],
    idle_seconds: float | None,
    kept: tuple[Any, float, int],
    metrics: str | None,
    console: Console,
) -> dict[str, Any]:
    url, lease = urls
    say = partial(console.print, highlight=False)
    log = await answered(lambda: open_log(url), say)
    try:
        if lease is not None:
            log = await answered(partial(leased, log, lease, url or "qmtl"), say)
        name = f"{socket.gethostname()}/{os.getpid()}"
        worker = worker_over(log, graphs, arrivals, name, *kept)
        if metrics is not None:
            host, port = address(metrics)
            port = worker.metrics.serve(host, port)
            console.print(f"metrics at {host}:{port}/metrics", highlight=False)
        console.print(
            f"worker {name} on {await answered(log.version, say)}, {log.slots} slots", highlight=False
        )
        leaving = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, leaving.set)
        await worker.run(_until(worker, leaving, idle_seconds, console))
        counts = asdict(worker.counts) | {"slots": sorted(worker.counts.slots)}
        counts["metrics"] = worker.metrics.summary()
        console.print(f"left after {counts['steps']:,} steps, {counts['results']:,} results", highlight=False)
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
