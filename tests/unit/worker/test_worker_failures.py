"""A function that raises stops its node and what depends on it, and nothing else (E6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from qmtl import Strategy, StreamInput, node
from qmtl.adapters.memory.log import MemoryLog
from qmtl.core.flow.commit import Position, Slot, Topic
from qmtl.core.flow.timeline import FAILED, VALUE
from qmtl.core.graph.expand import expand
from qmtl.runtime.backtest import unique_nodes, wanted_sources
from qmtl.runtime.sources import load
from qmtl.runtime.worker.feed import TableFeed
from qmtl.runtime.worker.messages import Failed
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.runtime.worker.spread import STREAMS, spread
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.strategy import build

from unit.worker.test_worker import BEGIN, MINUTE, _bar, idle

ROWS = 50
FAILS_AT = 20


class Moody(Strategy):
    """A node that fails, something that depends on it, and something that does not."""

    def define(self) -> None:
        close = StreamInput("A", interval="1m").close
        fails = fragile(x=close.window(2))
        self.output("fails", fails)
        self.output("after", fails + 1.0)
        self.output("beside", close.sma(3))


@node
def fragile(view):
    return view.x.sum()


def moody(times: int) -> Callable[..., Any]:
    """As `fragile`, but it fails so many times from some bucket on: what a full disk does to a function."""
    left = [times]

    def called(view: Any) -> Any:
        if view.bucket >= BEGIN + FAILS_AT * MINUTE and left[0] > 0:
            left[0] -= 1
            raise RuntimeError("the disk is full")
        return view.x.sum()

    return called


async def run(times: int, retries: int) -> tuple[Worker, CommitLog, list[Failed], dict[str, str]]:
    (graph,) = expand([build(Moody())], lambda query: [])
    nodes = unique_nodes([graph])
    for each in nodes.values():
        if each.function is not None:
            object.__setattr__(each, "function", moody(times))
    events = [_bar("A", BEGIN + n * MINUTE, 100.0 + n, BEGIN + (n + 1) * MINUTE) for n in range(ROWS)]
    arrivals = load(events, wanted_sources(nodes.values(), [graph]), finished=True, with_clock=False)
    streams = [one for one in nodes.values() if one.kind in STREAMS]
    laid = spread(nodes.values(), 2, {one.node_id: BEGIN for one in streams}, BEGIN + ROWS * MINUTE)
    feeds = {one.node_id: TableFeed(one, arrivals, chunk=7) for one in streams}
    log = MemoryLog(2, asyncio.get_running_loop().time, lease_seconds=30.0)
    worker = Worker(log, laid, feeds, "one", 0.01, retries=retries)
    await worker.run(idle(6))
    told: list[Failed] = []
    for slot in range(2):
        batch = await log.read(Topic.CONTROL, Slot(slot), Position(0))
        told += [msgspec.msgpack.decode(one.record.value, type=Failed) for one in batch.entries]
    names = {name: output.node.node_id for name, output in graph.outputs.items()}
    return worker, await read_all(log), told, names


def statuses(found: CommitLog, node_id: str) -> list[int]:
    return [status for _, (status, _, _) in sorted(found.nodes[node_id, 0].latest.items())]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_node_that_fails_for_good_stops_alone(retries: int) -> None:
    worker, found, told, names = asyncio.run(run(1000, retries))
    assert found.wrong == []
    assert worker.counts.failed == 1 + retries
    assert {one.cause for one in told} == {"RuntimeError: the disk is full"}
    assert {(one.label, (one.bucket - BEGIN) // MINUTE) for one in told} == {("fragile", FAILS_AT)}
    assert statuses(found, names["fails"])[-1] == FAILED
    assert len(statuses(found, names["fails"])) == FAILS_AT  # the first one was in warm-up
    assert statuses(found, names["beside"]).count(VALUE) == ROWS - 2
    assert worker.metrics.summary()["node_failed_total"] == 1 + retries


def test_a_node_that_recovers_has_all_its_buckets() -> None:
    worker, found, told, names = asyncio.run(run(2, 3))
    assert worker.counts.failed == 2 == len(told)
    assert found.wrong == []
    assert statuses(found, names["fails"]) == [VALUE] * (ROWS - 1)
    assert statuses(found, names["after"]) == [VALUE] * (ROWS - 1)
    values: Any = [row[0] for _, (_, row, _) in sorted(found.nodes[names["fails"], 0].latest.items())]
    assert values == [100.0 + n + 100.0 + n - 1 for n in range(1, ROWS)]
