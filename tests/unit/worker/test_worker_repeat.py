"""Who takes a slot over makes its last step again and compares: another result of the same input is told (C6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from qmtl import Strategy, StreamInput, node
from qmtl.adapters.memory.log import MemoryLog
from qmtl.core.graph.expand import expand
from qmtl.runtime.backtest import unique_nodes, wanted_sources
from qmtl.runtime.sources import load
from qmtl.runtime.worker.feed import TableFeed
from qmtl.runtime.worker.reading import read_all
from qmtl.runtime.worker.spread import STREAMS, spread
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.strategy import build

from unit.worker.test_worker import BEGIN, MINUTE, _bar, idle

ROWS, SLOTS = 200, 2


class Drawn(Strategy):
    def define(self) -> None:
        close = StreamInput("A", interval="1m").close
        self.output("drawn", drawn(x=close.window(2)))
        self.output("mean", close.sma(3))


@node
def drawn(view):
    return view.x.sum()


def pure(view: Any) -> float:
    return float(view.x.sum())


def impure() -> Callable[[Any], float]:
    calls = count()
    return lambda view: float(next(calls))


async def _twice(function: Callable[[Any], float]) -> tuple[list[Worker], list[str]]:
    """Two workers on a log, the second after the first; and what is wrong with what they committed."""
    (graph,) = expand([build(Drawn())], lambda query: [])
    nodes = unique_nodes([graph])
    for each in nodes.values():
        if each.function is not None:
            object.__setattr__(each, "function", function)
    events = [_bar("A", BEGIN + n * MINUTE, 100.0 + n, BEGIN + (n + 1) * MINUTE) for n in range(ROWS)]
    arrivals = load(events, wanted_sources(nodes.values(), [graph]), finished=True, with_clock=False)
    streams = [one for one in nodes.values() if one.kind in STREAMS]
    laid = spread(nodes.values(), SLOTS, {one.node_id: BEGIN for one in streams}, BEGIN + ROWS * MINUTE)
    log = MemoryLog(SLOTS, asyncio.get_running_loop().time, lease_seconds=30.0)
    workers = []
    for name in ("one", "two"):
        feeds = {one.node_id: TableFeed(one, arrivals, chunk=7) for one in streams}
        workers.append(Worker(log, laid, feeds, name, 0.01))
        await workers[-1].run(idle(6))
    return workers, (await read_all(log)).wrong


def test_the_same_input_makes_the_same_last_step() -> None:
    workers, wrong = asyncio.run(_twice(pure))
    assert workers[1].counts.replayed > ROWS // 7
    assert "replay_different_total" not in workers[1].metrics.summary()
    assert wrong == []


def test_other_results_of_the_same_input_are_told_and_not_committed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    workers, wrong = asyncio.run(_twice(impure()))
    assert workers[1].metrics.summary()["replay_different_total"] == 1
    assert "computes other results than were committed" in caplog.text
    assert wrong == []
    assert workers[1].counts.results == 0
