"""History computed by jobs beside the slots is what the slots' owners would compute, and they take it (C10)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmtl import Event, Runner, Strategy, StreamInput, node
from qmtl.adapters.memory.blobs import MemoryBlobs
from qmtl.adapters.memory.log import MemoryLog
from qmtl.adapters.sql.leases import SqlLeases
from qmtl.core.errors import Unavailable, UserError
from qmtl.core.flow.timeline import VALUE
from qmtl.core.graph.ir import NodeKind
from qmtl.ports.blobs import Blobs
from qmtl.ports.lease import Leases
from qmtl.runtime.arrivals import Arrivals
from qmtl.runtime.here import Here
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.progress import stopwatch
from qmtl.runtime.slices import SliceCache, What
from qmtl.runtime.worker import historian as of_historian
from qmtl.runtime.worker.history import History
from qmtl.runtime.worker.live import live_spread, past_of, streams_of
from qmtl.runtime.worker.pushed import PushedFeed
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.runtime.worker.spread import Spread
from qmtl.runtime.worker.starting import Beside, Manner, laid_out, worker_over, worker_with_history
from qmtl.runtime.worker.worker import Worker
from qmtl.sdk.runner import concrete, loaded

SLOTS = 8
MINUTE = 60_000_000_000
BEGIN = 1_704_067_200 * 10**9
ROWS, SPAN = 1_700, 128
NAMES = ("A", "B")


@node
def middle(view):
    return float(view.x[0] + view.x[-1]) / 2


@node
def ratio(view):
    return float(view.x[-1] / view.y[0])


class Windows(Strategy):
    """Authors' functions over one stream, over two, over each other, and over bars of an hour."""

    def define(self) -> None:
        close = {name: StreamInput(name, interval="1m", fields=("close", "volume")) for name in NAMES}
        for name, one in close.items():
            self.output(f"middle {name}", middle(x=one.close.window(20)))
        self.output("ratio", ratio(x=close["A"].close.window(3), y=close["B"].close.window(30)).sma(4))
        inner = middle(x=close["A"].close.window(20))
        self.output("of another", ratio(x=inner.window(2), y=close["B"].close.window(9)))
        self.output("hours", middle(x=close["A"].resample("1h").close.window(5)))


class Endless(Strategy):
    """One that reads an average without an end."""

    def define(self) -> None:
        a = StreamInput("A", interval="1m", fields=("close",)).close
        self.output("middle", middle(x=a.ema(9).window(20)))
        self.output("again", middle(x=middle(x=a.ema(9).window(20)).window(3)))


def table(name: str, late: bool) -> list[Event]:
    """Bars of a stream: some never came, for some hours none, some `late`."""
    chance = np.random.default_rng(ord(name))
    price = 100 + chance.normal(0, 1, ROWS).cumsum()
    found = []
    for minute in range(ROWS):
        fate = float(chance.random())
        if fate < 0.02 or (name == "B" and 600 < minute < 900):
            continue
        start = BEGIN + minute * MINUTE
        after = int(chance.integers(2, 30)) if late and fate < 0.05 else 1
        found.append(
            Event(
                name, start, {"close": price[minute], "volume": 1.0}, interval="1m", at=start + after * MINUTE
            )
        )
    return found


def events(late: bool = True) -> list[Event]:
    """In the order in which they came."""
    return sorted((one for name in NAMES for one in table(name, late)), key=lambda one: (one.at, one.stream))


@dataclass
class Place:
    """Where history is computed: a store of slices, leases of jobs, and the caches over it that were made."""

    leases: Leases
    store: Blobs = field(default_factory=MemoryBlobs)
    caches: list[SliceCache] = field(default_factory=list)

    def slices(self, store: Blobs) -> SliceCache:
        made = SliceCache(store, Here(), watch=stopwatch, check=0.0, cheap=0.0, look_seconds=0.0, span=SPAN)
        self.caches.append(made)
        return made

    @property
    def manner(self) -> Manner:
        async def leases(names: Iterable[str]) -> Leases:
            return self.leases

        return Manner(self.store, beside=Beside(leases, self.slices, SPAN))

    def rows(self, what: What) -> int:
        """Buckets of slices of which that became."""
        return sum(event.rows for one in self.caches for event in one.events if event.what is what)


class Free:
    """Leases in this process."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}

    async def acquire(self, name: str, holder: str, seconds: float) -> Any:
        return 1 if self.held.setdefault(name, holder) == holder else None

    async def renew(self, names: Iterable[str], holder: str, seconds: float) -> set[str]:
        return {name for name in names if self.held.get(name) == holder}

    async def release(self, names: Iterable[str], holder: str) -> None:
        for name in names:
            if self.held.get(name) == holder:
                del self.held[name]

    async def close(self) -> None:
        pass


def idle(rounds: int) -> Callable[[bool], bool]:
    count = 0

    def stop(nothing: bool) -> bool:
        nonlocal count
        count = count + 1 if nothing else 0
        return count >= rounds

    return stop


def checked(strategy: Strategy, found: CommitLog, given: list[Event]) -> None:
    """The commit log holds what a backtest computes, bit for bit."""
    run: Any = Runner.backtest(strategy, given, cache=False)
    engine, compared = run._executed.engine, 0
    assert found.wrong == []
    for key in run._executed.nodes:
        group, lane = engine.plan.home[key]
        cells = cells_of(engine, group, lane, 0)
        values = {
            bucket: tuple(row)
            for bucket, status, row in zip(
                cells.bucket.tolist(), cells.status.tolist(), cells.value.tolist(), strict=True
            )
            if status == VALUE
        }
        got = {b: row for b, (status, row, _) in found.nodes[key, 0].latest.items() if status == VALUE}
        assert repr(sorted(got.items())) == repr(sorted(values.items()))
        compared += len(values)
    assert compared > ROWS


def past(strategy: Strategy, given: list[Event]) -> tuple[Any, Arrivals, Spread]:
    graphs, arrivals = loaded(*concrete(strategy, given))
    return graphs, arrivals, laid_out(SLOTS, graphs, arrivals)


async def worked(log: MemoryLog, strategy: Strategy, given: list[Event], places: list[Place]) -> list[Worker]:
    """Workers over all of it, until none has anything to do."""
    graphs, arrivals, _ = past(strategy, given)
    workers = [
        await worker_over(log, graphs, arrivals, f"w{number}", place.manner)
        for number, place in enumerate(places)
    ]
    async with asyncio.TaskGroup() as group:
        for one in workers:
            one._poll_seconds = 0.02
            group.create_task(one.run(idle(4)))
    return workers


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("strategy", [Windows, Endless])
def test_owners_take_what_jobs_computed(strategy: type[Strategy], late: bool) -> None:
    async def run() -> tuple[CommitLog, Place, list[Worker]]:
        log, place = MemoryLog(SLOTS, stopwatch), Place(Free())
        workers = await worked(log, strategy(), events(late), [place])
        return await read_all(log), place, workers

    found, place, workers = asyncio.run(run())
    checked(strategy(), found, events(late))
    jobs = sum(float(one) for name, one in workers[0].metrics.summary().items() if "history" in name)
    assert jobs >= 4
    if not late:  # events that come late cut slices otherwise where they come by way of another slot
        _, _, laid = past(strategy(), events(late))
        authors = [key for key, one in laid.nodes.items() if one.kind is NodeKind.FUNCTION]
        everything = sum(len(found.nodes[key, 0].latest) for key in authors)
        assert place.rows(What.COMPUTED) < 1.4 * everything  # by jobs, with their halos; by owners hardly any
        assert place.rows(What.REUSED) > 0.9 * everything


def test_without_jobs_it_is_the_same() -> None:
    async def run() -> CommitLog:
        log = MemoryLog(SLOTS, stopwatch)
        graphs, arrivals, _ = past(Windows(), events())
        worker = await worker_over(log, graphs, arrivals, "w")
        worker._poll_seconds = 0.02
        await worker.run(idle(4))
        return await read_all(log)

    checked(Windows(), asyncio.run(run()), events())


def test_workers_share_the_jobs() -> None:
    async def run() -> tuple[CommitLog, list[Worker]]:
        log, leases, store = MemoryLog(SLOTS, stopwatch), Free(), MemoryBlobs()
        places = [Place(leases, store) for _ in range(3)]
        workers = await worked(log, Windows(), events(), places)
        return await read_all(log), workers

    found, workers = asyncio.run(run())
    checked(Windows(), found, events())
    shares = [one.metrics.summary().get("history_jobs_total", 0.0) for one in workers]
    _, arrivals, laid = past(Windows(), events())
    assert sum(shares) == len(History(laid, arrivals, SPAN).jobs)
    assert sum(share > 0 for share in shares) >= 2


def test_jobs_of_windows_begin_with_a_halo_and_others_follow_each_other() -> None:
    _, arrivals, laid = past(Windows(), events())
    history = History(laid, arrivals, SPAN)
    assert history.segments == -(-ROWS // SPAN) + 1
    for home in {job.home for job in history.jobs}:
        mine = [job for job in history.jobs if job.home == home]
        assert [job.first for job in mine] == [0, *(job.stop for job in mine[:-1])]
        assert mine[-1].stop == history.segments
        assert all(job.start < job.first or job.first == 0 for job in mine)
    _, arrivals, laid = past(Endless(), events())
    chain = History(laid, arrivals, SPAN).jobs
    assert len(chain) >= 4
    assert [job.start for job in chain] == [0] * len(chain)
    assert [job.after for job in chain] == [(), *((job.name,) for job in chain[:-1])]


def test_a_halo_reaches_over_days_without_bars() -> None:
    _, arrivals, laid = past(Windows(), events())
    history = History(laid, arrivals, SPAN)
    rows = {one.stream: history.rows(one) for one in laid.nodes.values() if one.stream is not None}
    across = [job for job in history.jobs if job.start > 0 and 600 // SPAN < job.first <= 900 // SPAN + 1]
    both = [job for job in across if "B" in {one.stream for one in history.nodes(job)}]
    assert both
    for job in both:
        assert rows["B"][job.first] - rows["B"][job.start] >= 30


def test_what_is_ready_goes_with_the_jobs() -> None:
    async def run() -> None:
        _, arrivals, laid = past(Windows(), events())
        history, place = History(laid, arrivals, SPAN), Place(Free())
        one = of_historian.Historian(
            history, place.leases, place.store, lambda: place.slices(place.store), "w", stopwatch
        )
        a, b = (next(k for k, n in laid.nodes.items() if n.stream == name) for name in NAMES)
        assert one.ready(a) == one.ready(b) == 0
        while not one.over:
            before = min(one.ready(a), one.ready(b))
            assert await one._round()
            assert min(one.ready(a), one.ready(b)) >= before
        assert one.ready(a) == one.ready(b) == history.segments

    asyncio.run(run())


def test_history_of_a_stream_that_nobody_reads_is_refused() -> None:
    graphs, data = concrete(Windows(), events())
    with pytest.raises(UserError, match="no strategy reads this stream"):
        past_of(graphs, data, ["C"])


def test_where_leases_stay_away_the_owners_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Free):
        async def acquire(self, name: str, holder: str, seconds: float) -> Any:
            raise Unavailable("no database")

    monkeypatch.setattr(of_historian, "AWAY_SECONDS", 0.5)

    async def run() -> CommitLog:
        log = MemoryLog(SLOTS, stopwatch)
        await worked(log, Windows(), events(), [Place(Away())])
        return await read_all(log)

    checked(Windows(), asyncio.run(run()), events())


def test_a_job_whose_worker_is_gone_is_done_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_historian, "LEASE_SECONDS", 0.6)

    async def run() -> tuple[CommitLog, int]:
        graphs, arrivals, laid = past(Windows(), events())
        history = History(laid, arrivals, SPAN)
        names = [of_historian.lease_of(history, job) for job in history.jobs]
        leases = await SqlLeases.open(f"sqlite:///{tmp_path}/leases.sqlite", names)
        assert await leases.acquire(names[0], "one that was killed", 0.6) is not None
        log, place = MemoryLog(SLOTS, stopwatch), Place(leases)
        worker = await worker_over(log, graphs, arrivals, "w", place.manner)
        worker._poll_seconds = 0.02
        await worker.run(idle(4))
        return await read_all(log), int(worker.metrics.summary()["history_jobs_total"]) - len(names)

    found, missing = asyncio.run(run())
    checked(Windows(), found, events())
    assert missing == 0


@pytest.mark.parametrize("more", [True, False])
def test_live_events_come_after_history(tmp_path: Path, more: bool) -> None:
    """Also those that history has already, and those that were late for it."""
    cut = 2_000
    given = events()
    before, after = given[:cut], given[cut - 50 :]

    async def run() -> CommitLog:
        graphs, data = concrete(Windows(), before)
        log, place = MemoryLog(SLOTS, stopwatch), Place(Free())
        pushed = {w.id: PushedFeed(one, w, lambda: 0) for one, w in streams_of(graphs)}
        feeds = {one.node_id: pushed[w.id] for one, w in streams_of(graphs)}
        arrivals = past_of(graphs, data, NAMES)
        laid = await live_spread(log, graphs, feeds, history=arrivals)
        worker = await worker_with_history(
            log, laid, feeds, arrivals, "w", place.manner if more else Manner()
        )
        for number, one in enumerate(after):
            pushed[one.stream].push(number + 1, one)
        await worker.run(idle(4))
        return await read_all(log)

    found = asyncio.run(run())
    # What closed with the end of the data in a backtest is open here: the last buckets are not compared.
    run_: Any = Runner.backtest(Windows(), given, cache=False, finished=False)
    engine = run_._executed.engine
    assert found.wrong == []
    for key, one in run_._executed.nodes.items():
        group, lane = engine.plan.home[key]
        cells = cells_of(engine, group, lane, 0)
        values = {
            b: tuple(row)
            for b, s, row in zip(
                cells.bucket.tolist(), cells.status.tolist(), cells.value.tolist(), strict=True
            )
            if s == VALUE
        }
        got = {b: row for b, (s, row, _) in found.nodes[key, 0].latest.items() if s == VALUE}
        assert repr(sorted(got.items())) == repr(sorted(values.items())), one.label
