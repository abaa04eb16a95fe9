"""`qmtl worker` over streams that do not end: kill -9 loses nothing of them and commits nothing twice (C7)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmtl import Catalog, Runner
from qmtl.cli.loading import strategy_from
from qmtl.core.flow.timeline import VALUE
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.servers import Kafka
from qmtl.runtime.servers.process import until
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.wiring import log as open_log

STRATEGY = """
from qmtl import Strategy, StreamInput

class Pairs(Strategy):
    def define(self):
        close = {name: StreamInput(name, interval="1m", fields=("close",)).close for name in "ABC"}
        for name, one in close.items():
            self.output(f"ema {name}", one.ema(9))
        self.output("pair", (close["A"].sma(5) - close["B"]).ema(3))
        self.output("all", close["A"] + close["B"] * close["C"])
"""
BEGIN = 1_700_000_040
ROWS = 3_000
HEAD = "ts,close\n"


def price(name: str) -> np.ndarray:
    return 100 + np.random.default_rng(ord(name)).normal(0, 1, ROWS).cumsum()


class Grown:
    """Files to which rows are added, some of them late."""

    def __init__(self, place: Path) -> None:
        self.place, self.rows = place, 0
        self._all = {
            name: [
                f"{BEGIN + 60 * n},{price(name)[n]}\n"
                for n in sorted(range(ROWS), key=lambda n: n + (4.5 if n % 13 == 5 else 0))
            ]
            for name in "ABC"
        }
        (place / "pairs.py").write_text(STRATEGY)
        for name in "ABC":
            (place / f"{name}.csv").write_text(HEAD)

    def add(self, rows: int) -> None:
        for name, lines in self._all.items():
            with (self.place / f"{name}.csv").open("a") as file:
                file.write("".join(lines[self.rows : self.rows + rows]))
        self.rows += rows


class Workers:
    def __init__(self, place: Path) -> None:
        self.place, self.url = place, f"sqlite:///{place}/log.sqlite"
        self._all: list[subprocess.Popen[str]] = []

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "qmtl", "worker", "pairs.py", "--log", self.url, "--json", *more]
        made = subprocess.Popen(
            command,
            cwd=self.place,
            env=os.environ | {"QMTL_CACHE": "off"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._all.append(made)
        return made

    def end(self) -> None:
        for each in self._all:
            each.kill()
            each.communicate()

    def found(self) -> CommitLog:
        async def read() -> CommitLog:
            log = await open_log(self.url)
            try:
                return await read_all(log)
            finally:
                await log.close()

        return asyncio.run(read())


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    return Grown(tmp_path)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    yield made
    made.end()


def values(found: CommitLog) -> dict[str, dict[int, list[float]]]:
    return {
        node_id: {b: list(row) for b, (status, row, _) in one.latest.items() if status == VALUE}
        for (node_id, _), one in found.nodes.items()
    }


def wanted(place: Path) -> dict[str, dict[int, list[float]]]:
    data = Catalog(str(place / "{id}.csv"), tz="UTC")
    engine = Runner.backtest(strategy_from(str(place / "pairs.py")), data, cache=False)._executed.engine
    found = {}
    for group in engine.plan.groups:
        for lane, node in enumerate(group.nodes):
            cells = cells_of(engine, group, lane, 0)
            found[node.node_id] = {
                int(bucket): row
                for bucket, status, row in zip(cells.bucket, cells.status, cells.value.tolist(), strict=True)
                if status == VALUE
            }
    return found


def reached(workers: Workers, rows: int, process: subprocess.Popen[str]) -> Callable[[], bool]:
    def there() -> bool:
        assert process.poll() is None, process.communicate()[1]
        return min((len(one) for one in values(workers.found()).values()), default=0) > rows - 30

    return there


def test_files_are_followed_by_two_workers_of_which_one_is_killed(grown: Grown, workers: Workers) -> None:
    follow = ("--catalog", "{id}.csv", "--tz", "UTC", "--follow")
    grown.add(500)
    first = workers.start(*follow)
    assert until(reached(workers, 500, first), 60.0)
    second = workers.start(*follow)
    for _ in range(10):
        grown.add(100)
    assert until(reached(workers, 1500, first), 60.0)
    first.send_signal(signal.SIGKILL)
    grown.add(1500)
    assert until(reached(workers, ROWS, second), 60.0)
    second.send_signal(signal.SIGTERM)
    out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert json.loads(out)["steps"] > 0
    found = workers.found()
    assert found.wrong == []
    assert values(found) == wanted(grown.place)


def test_a_replay_takes_its_time_and_ends_as_a_backtest_does(grown: Grown, workers: Workers) -> None:
    grown.add(ROWS)
    hours = ROWS / 60
    replay = ("--catalog", "{id}.csv", "--tz", "UTC", "--replay", str(hours * 3600 / 6.0), "--idle", "8")
    worker = workers.start(*replay)
    assert until(reached(workers, 60, worker), 60.0)
    assert len(next(iter(values(workers.found()).values()))) < ROWS - 100
    _, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    found = workers.found()
    assert found.wrong == []
    assert values(found) == wanted(grown.place)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--replay", "0"), "--replay"),
        (("--replay", "1", "--follow"), "--replay"),
        (("--origin", "2024-01-01"), "--origin"),
        (("--follow", "--origin", "soon"), "origin"),
        (("--follow", "--data", "A=kafka://localhost"), "kafka://host:port/topic"),
    ],
)
def test_options_that_contradict_are_told(
    grown: Grown, workers: Workers, given: tuple[str, ...], said: str
) -> None:
    grown.add(10)
    worker = workers.start("--catalog", "{id}.csv", "--tz", "UTC", *given)
    _, err = worker.communicate(timeout=60)
    assert worker.returncode == 2
    assert said in err
    assert "Traceback" not in err


def test_topics_are_followed_over_a_kill(grown: Grown, workers: Workers, kafka: Kafka) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    topics = {name: f"{grown.place.name}-{name}" for name in "ABC"}
    admin = AdminClient({"bootstrap.servers": kafka.address})
    for made in admin.create_topics([NewTopic(one, 1, 1) for one in topics.values()]).values():
        made.result()
    producer = Producer({"bootstrap.servers": kafka.address})

    def publish(begin: int, end: int) -> None:
        for name, topic in topics.items():
            for row in (grown.place / f"{name}.csv").read_text().splitlines()[begin + 1 : end + 1]:
                at, close = row.split(",")
                producer.produce(topic, json.dumps({"ts": int(at), "close": float(close)}).encode())
            producer.produce(topic, b"not an event")
        producer.flush()

    grown.add(ROWS)
    follow: list[Any] = ["--follow", "--tz", "UTC", "--retries", "1"]
    for name, topic in topics.items():
        follow += ["--data", f"{name}=kafka://{kafka.address}/{topic}"]
    publish(0, 1000)
    first = workers.start(*follow)
    assert until(reached(workers, 1000, first), 60.0)
    first.send_signal(signal.SIGKILL)
    publish(1000, ROWS)
    second = workers.start(*follow)
    assert until(reached(workers, ROWS, second), 60.0)
    second.send_signal(signal.SIGTERM)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    found = workers.found()
    assert found.wrong == []
    assert values(found) == wanted(grown.place)
