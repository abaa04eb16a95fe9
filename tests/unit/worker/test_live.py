"""A worker whose streams do not end commits what a backtest of the same events computes, wherever it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmtl import Catalog, Event, Panel, Runner, Strategy, StreamInput, UserError, cross
from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.memory.store import Store
from qmtl.core.flow.timeline import VALUE
from qmtl.ports.records import Written
from qmtl.runtime.backtest import unique_nodes
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.worker.feed import Feed
from qmtl.runtime.worker.live import live_feeds, live_spread, registered, streams_of
from qmtl.runtime.worker.pushed import PushedFeed
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.runtime.worker.starting import Manner, made
from qmtl.sdk.runner import concrete

SLOTS = 4
MINUTE = 60_000_000_000
BEGIN = 1_700_000_040 * 10**9
NAMES = ("A", "B", "C")


class Pairs(Strategy):
    def define(self) -> None:
        close = {name: StreamInput(name, interval="1m", fields=("close",)).close for name in NAMES}
        for name, one in close.items():
            self.output(f"ema {name}", one.ema(5))
        self.output("spread", (close["A"].sma(4) - close["B"]).ema(3))
        self.output("all", close["A"] + close["B"] * close["C"])


class Impatient(Strategy):
    """Does not wait for B longer than three minutes."""

    def define(self) -> None:
        a = StreamInput("A", interval="1m", fields=("close",))
        b = StreamInput("B", interval="1m", fields=("close",), idle_timeout="3m")
        self.output("mean", cross.mean(Panel({"A": a.close, "B": b.close})))


def lines(name: str, begin: int, end: int) -> str:
    """Rows of a stream; some come two minutes late."""
    price = 100 + np.random.default_rng(ord(name)).normal(0, 1, 500).cumsum()
    order = sorted(range(begin, end), key=lambda n: n + (2.5 if n % 11 == 5 else 0))
    return "".join(f"{(BEGIN + n * MINUTE) // 10**9},{price[n]}\n" for n in order)


@pytest.fixture
def grow(tmp_path: Path) -> Callable[[int, int], None]:
    for name in NAMES:
        (tmp_path / f"{name}.csv").write_text("ts,close\n")

    def added(begin: int, end: int) -> None:
        for name in NAMES:
            with (tmp_path / f"{name}.csv").open("a") as file:
                file.write(lines(name, begin, end))

    return added


def catalog(place: Path) -> Catalog:
    return Catalog(str(place / "{id}.csv"), tz="UTC")


async def _work(
    store: Store, strategy: Strategy, feeds: dict[str, Feed], rounds: int, **more: Any
) -> CommitLog:
    """One worker, until it was idle for so many rounds; everything that is committed by then."""
    graphs, _ = concrete(strategy, {})
    log = MemoryLog(SLOTS, asyncio.get_running_loop().time, lease_seconds=30.0, store=store)
    laid = await live_spread(log, graphs, feeds, more.pop("origin", None))
    worker = made(log, laid, feeds, "one", Manner(**more))
    worker._poll_seconds = 0.01
    left = [rounds]

    def stop(nothing: bool) -> bool:
        left[0] = left[0] - 1 if nothing else rounds
        return left[0] < 0

    await worker.run(stop)
    return await read_all(log)


def compare(found: CommitLog, strategy: Strategy, data: Any, missing: int = 0) -> None:
    """Each bucket once, with the value of a backtest."""
    assert found.wrong == []
    engine, compared = Runner.backtest(strategy, data, cache=False)._executed.engine, 0
    for group in engine.plan.groups:
        for lane, node in enumerate(group.nodes):
            cells = cells_of(engine, group, lane, 0)
            wanted = {
                bucket: row
                for bucket, status, row in zip(cells.bucket, cells.status, cells.value.tolist(), strict=True)
                if status == VALUE
            }
            latest = found.nodes[node.node_id, 0].latest
            got = {b: list(row) for b, (status, row, _) in latest.items() if status == VALUE}
            assert got == wanted, node.label
            compared += len(got)
    assert compared > 100


def test_files_that_grow_are_followed_over_restarts(tmp_path: Path, grow: Callable[[int, int], None]) -> None:
    store = Store(SLOTS, lambda: 0.0, 10.0)
    graphs, data = concrete(Pairs(), catalog(tmp_path))
    now = [BEGIN]

    def feeds() -> dict[str, Feed]:
        return live_feeds(graphs, data, {}, lambda: now[0])

    for begin, end in ((0, 40), (40, 41), (41, 200), (200, 500)):
        grow(begin, end)
        now[0] = BEGIN + end * MINUTE
        found = asyncio.run(_work(store, Pairs(), feeds(), 3))
    compare(found, Pairs(), catalog(tmp_path))
    assert set(asyncio.run(registered(MemoryLog(SLOTS, lambda: 0.0, store=store))).values()) == {BEGIN}


def test_a_stream_begins_where_the_log_says(tmp_path: Path, grow: Callable[[int, int], None]) -> None:
    grow(10, 60)
    store = Store(SLOTS, lambda: 0.0, 10.0)
    graphs, data = concrete(Pairs(), catalog(tmp_path))
    asyncio.run(_work(store, Pairs(), live_feeds(graphs, data, {}, lambda: BEGIN), 3))
    grow(0, 10)  # before the first event
    found = asyncio.run(
        _work(store, Pairs(), live_feeds(graphs, data, {}, lambda: BEGIN), 3, origin="2001-01-01")
    )
    assert min(min(one.latest) for one in found.nodes.values()) == BEGIN + 10 * MINUTE


def test_a_stream_without_events_begins_where_it_is_said(
    tmp_path: Path, grow: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qmtl.runtime.worker.live.FIRST_SECONDS", 0.01)
    graphs, data = concrete(Pairs(), catalog(tmp_path))
    feeds = live_feeds(graphs, data, {}, lambda: BEGIN)
    with pytest.raises(UserError, match="does not say where it begins"):
        asyncio.run(_work(Store(SLOTS, lambda: 0.0, 10.0), Pairs(), feeds, 1))
    store = Store(SLOTS, lambda: 0.0, 10.0)
    asyncio.run(_work(store, Pairs(), feeds, 3, origin="2023-11-14T22:14Z"))
    grow(0, 50)
    compare(asyncio.run(_work(store, Pairs(), feeds, 3)), Pairs(), catalog(tmp_path))


def test_events_that_a_process_hands_over_are_committed_and_acknowledged() -> None:
    async def main() -> tuple[CommitLog, list[PushedFeed]]:
        graphs, _ = concrete(Pairs(), {})
        pushed = {n.node_id: (w, PushedFeed(n, w, lambda: BEGIN)) for n, w in streams_of(graphs)}
        for wanted, feed in pushed.values():
            for number, event in enumerate(events[wanted.id], 1):
                feed.push(number, event)
        found = await _work(
            Store(SLOTS, lambda: 0.0, 10.0), Pairs(), {key: feed for key, (_, feed) in pushed.items()}, 3
        )
        return found, [feed for _, feed in pushed.values()]

    events = {name: [_event(name, n, 100.0 + n % 7) for n in range(80)] for name in NAMES}
    found, feeds = asyncio.run(main())
    compare(found, Pairs(), [event for n in range(80) for event in (events[name][n] for name in NAMES)])
    assert [feed.acknowledged for feed in feeds] == [80, 80, 80]


def test_a_stream_that_falls_silent_does_not_hold_others_back() -> None:
    """And what comes of it afterwards corrects (E11)."""
    now = [BEGIN]

    async def main() -> list[CommitLog]:
        graphs, _ = concrete(Impatient(), {})
        feeds: dict[str, PushedFeed] = {w.id: PushedFeed(n, w, lambda: now[0]) for n, w in streams_of(graphs)}
        named: dict[str, Feed] = {n.node_id: feeds[w.id] for n, w in streams_of(graphs)}
        store, seen = Store(SLOTS, lambda: 0.0, 10.0), []
        for minute in range(10):
            feeds["A"].push(minute + 1, _event("A", minute, 1.0))
            if minute < 3:
                feeds["B"].push(minute + 1, _event("B", minute, 2.0))
        seen.append(await _work(store, Impatient(), named, 3, clock=lambda: now[0]))

        def later() -> int:
            now[0] += MINUTE
            return now[0]

        seen.append(await _work(store, Impatient(), named, 30, clock=later))
        for minute in range(3, 10):
            feeds["B"].push(minute + 1, _event("B", minute, 2.0))
        seen.append(await _work(store, Impatient(), named, 3, clock=lambda: now[0]))
        return seen

    graphs, _ = concrete(Impatient(), {})
    mean = next(one.node_id for one in unique_nodes(graphs).values() if len(one.edges) == 2)
    told = [found.nodes[mean, 0].latest for found in asyncio.run(main())]
    values = [
        {(bucket - BEGIN) // MINUTE: row[0] for bucket, (status, row, _) in latest.items() if status == VALUE}
        for latest in told
    ]
    first = dict.fromkeys(range(3), 1.5)
    assert values == [first, first | dict.fromkeys(range(3, 10), 1.0), dict.fromkeys(range(10), 1.5)]
    assert [version for *_, version in told[2].values()] == [0] * 3 + [1] * 7


def _event(name: str, minute: int, close: float) -> Event:
    return Event(name, BEGIN + minute * MINUTE, {"close": close}, interval="1m")


class Told:
    """A topic in memory: three bars, and a record that is none."""

    place = "topic a"

    def read(self, start: int, limit: int) -> tuple[list[Written], int, bool]:
        bars = [b'{"ts": %d, "close": %d}' % (BEGIN // 10**9 + 60 * n, n) for n in range(3)]
        values = [*bars[:2], b"no bar", bars[2]]
        return [Written(n, values[n]) for n in range(start, 4)], 4, True


def test_records_that_are_no_events_are_counted() -> None:
    class Mean(Strategy):
        def define(self) -> None:
            self.output("mean", StreamInput("A", interval="1m", fields=("close",)).close.sma(2))

    async def work() -> tuple[CommitLog, float]:
        graphs, data = concrete(Mean(), {})
        feeds = live_feeds(graphs, data, {"A": Told}, lambda: BEGIN, tz="UTC")
        log = MemoryLog(SLOTS, asyncio.get_running_loop().time)
        worker = made(log, await live_spread(log, graphs, feeds), feeds, "one", Manner())
        worker._poll_seconds = 0.01
        left = [20]

        def stop(nothing: bool) -> bool:
            left[0] -= 1
            return left[0] < 0

        await worker.run(stop)
        return await read_all(log), worker.metrics.summary()["feed_rejected_total"]

    found, rejected = asyncio.run(work())
    assert found.wrong == []
    assert max(len(one.latest) for one in found.nodes.values()) == 3
    assert rejected == 1.0
