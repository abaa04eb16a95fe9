"""`qmtl worker` twice on one machine: the work is shared, and kill -9 of either loses and doubles nothing (R1).

The same on servers, and workers that are stopped or cut off: `test_two_owners.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qmtl import Catalog, Runner
from qmtl.cli.loading import strategy_from
from qmtl.core.flow.commit import Slot, Topic
from qmtl.core.flow.timeline import VALUE
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.wiring import log as open_log

STRATEGY = """
from qmtl import Strategy, StreamInput, node

@node
def slow(view, *, k: float):
    total = 0.0
    for one in view.x.tolist() * 20:
        total += one * k - 1.0
    return total

class Many(Strategy):
    def define(self):
        close = {name: StreamInput(name, interval="1m").close for name in "ABCDEF"}
        for name, one in close.items():
            self.output(f"ema {name}", one.ema(9))
            self.output(f"slow {name}", slow(x=one.window(20), k=2.0).sma(3))
        self.output("pair", (close["A"].sma(5) - close["B"]).ema(3))
        self.output("pairs", close["C"] / close["D"] + close["E"] * close["F"])
"""
ROWS = 8_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "many.py").write_text(STRATEGY)
    for seed, name in enumerate("ABCDEF"):
        price = 100 + np.random.default_rng(seed).normal(0, 1, ROWS).cumsum()
        rows = [f"{1_700_000_040 + 60 * n},{p},{p + 1},{p - 1},{p},1" for n, p in enumerate(price)]
        (tmp_path / f"{name}.csv").write_text("ts,open,high,low,close,volume\n" + "\n".join(rows))
    return tmp_path


class Workers:
    """Processes on one log. They stay idle for longer than the lease of one that was killed."""

    def __init__(self, place: Path, url: str) -> None:
        self.place, self.url = place, url
        self._all: list[subprocess.Popen[str]] = []

    def start(self, idle: float = 7.5) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "qmtl", "worker", "many.py", "--catalog", "{id}.csv", "--tz", "UTC"]
        command += ["--idle", str(idle), "--json", "--log", self.url]
        command += ["--snapshots", "kept", "--snapshot-every", "0"]
        environ = os.environ | {"QMTL_CACHE": "off"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        made = subprocess.Popen(command, cwd=self.place, env=environ, **pipes)
        self._all.append(made)
        return made

    def end(self) -> None:
        for each in self._all:
            each.kill()
            each.communicate()


@pytest.fixture
def workers(place: Path) -> Iterator[Workers]:
    made = Workers(place, f"sqlite:///{place}/log.sqlite")
    yield made
    made.end()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What a worker that has left says of itself."""
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return json.loads(out)


async def steps(url: str) -> int:
    """How many steps have been committed."""
    log = await open_log(url)
    try:
        return sum([int((await log.end(Topic.COMMITS, Slot(n))).visible) for n in range(log.slots)])
    finally:
        await log.close()


async def all_of(url: str) -> CommitLog:
    log = await open_log(url)
    try:
        return await read_all(log)
    finally:
        await log.close()


def check(place: Path, found: CommitLog) -> None:
    """The commit log is what a backtest computes, all of it, each bucket once."""
    assert found.wrong == []

    run = Runner.backtest(
        strategy_from(str(place / "many.py")), Catalog(str(place / "{id}.csv"), tz="UTC"), cache=False
    )
    engine, compared = run._executed.engine, 0
    for group in engine.plan.groups:
        for lane, node in enumerate(group.nodes):
            cells = cells_of(engine, group, lane, 0)
            wanted = {
                bucket: tuple(row)
                for bucket, status, row in zip(
                    cells.bucket.tolist(), cells.status.tolist(), cells.value.tolist(), strict=True
                )
                if status == VALUE
            }
            latest = found.nodes[node.node_id, 0].latest
            assert {b: row for b, (status, row, _) in latest.items() if status == VALUE} == wanted, node.label
            compared += len(wanted)
    assert compared > 20 * ROWS


def wait_for_steps(workers: Workers, count: int, process: subprocess.Popen[str]) -> None:
    while asyncio.run(steps(workers.url)) < count:
        assert process.poll() is None, process.communicate()[1]


def test_two_workers_share_the_work_and_survive_kill_9_of_either(place: Path, workers: Workers) -> None:
    first = workers.start()
    wait_for_steps(workers, 10, first)
    second = workers.start()
    wait_for_steps(workers, 25, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    third = workers.start()
    wait_for_steps(workers, 40, third)
    second.send_signal(signal.SIGKILL)
    second.wait()
    counts = told(third)
    assert counts["steps"] > 0
    check(place, asyncio.run(all_of(workers.url)))


def test_sigterm_ends_a_worker_in_good_order(workers: Workers) -> None:
    first = workers.start(idle=60.0)
    wait_for_steps(workers, 5, first)
    first.send_signal(signal.SIGTERM)
    assert told(first)["steps"] > 0


def test_workers_with_another_strategy_or_url_are_told(place: Path, workers: Workers) -> None:
    first = workers.start()
    wait_for_steps(workers, 10, first)
    told(first)
    (place / "many.py").write_text(STRATEGY.replace("k=2.0", "k=3.0"))
    second = workers.start()
    assert second.wait(60) == 2
    assert "computes something else" in second.communicate()[1]
    workers.url = "mysql://somewhere"
    third = workers.start()
    assert third.wait(60) == 2
    assert "not the URL of a log" in third.communicate()[1]
