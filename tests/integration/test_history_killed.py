"""`qmtl worker` over a history of authors' functions: workers share its jobs, and one is killed in the middle (C10)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qmtl import Catalog, Runner
from qmtl.cli.loading import strategy_from
from qmtl.core.flow.timeline import VALUE
from qmtl.runtime.ledger import cells_of
from qmtl.runtime.servers.process import until
from qmtl.runtime.worker.reading import CommitLog, read_all
from qmtl.wiring import log as open_log

STRATEGY = """
from math import sin
from qmtl import Strategy, StreamInput, node

@node
def heavy(view):
    return sum(sin(float(view.x[-1]) * k) for k in range(200)) * float(view.x[0])

class Heavy(Strategy):
    def define(self):
        close = StreamInput("A", interval="1m", fields=("close",)).close
        for n in (5, 6):
            self.output(f"heavy {n}", heavy(x=close.window(n)).sma(3))
"""
BEGIN, ROWS = 1_700_000_040, 16 * 1024


def write(place: Path, name: str, first: int, end: int) -> None:
    price = 100 + np.random.default_rng(1).normal(0, 1, ROWS + 100).cumsum()
    lines = [f"{BEGIN + 60 * n},{price[n]}\n" for n in range(first, end)]
    (place / name).write_text("ts,close\n" + "".join(lines))


class Workers:
    def __init__(self, place: Path) -> None:
        self.place, self.all = place, list[subprocess.Popen[str]]()
        (place / "heavy.py").write_text(STRATEGY)

    def start(self, *more: str, idle: str = "7") -> subprocess.Popen[str]:
        options = ("--log", f"sqlite:///{self.place}/log.sqlite", "--tz", "UTC", "--idle", idle, "--json")
        made = subprocess.Popen(
            [sys.executable, "-m", "qmtl", "worker", "heavy.py", *options, *more],
            cwd=self.place,
            env=os.environ | {"QMTL_CACHE": str(self.place / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.all.append(made)
        return made

    def jobs(self) -> int:
        return len(
            [one for one in (self.place / "cache").rglob("*") if "history" in str(one) and one.is_file()]
        )

    def found(self) -> CommitLog:
        async def read() -> CommitLog:
            log = await open_log(f"sqlite:///{self.place}/log.sqlite")
            try:
                return await read_all(log)
            finally:
                await log.close()

        return asyncio.run(read())


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path)
    yield made
    for one in made.all:
        one.kill()


def check(workers: Workers, data: Catalog) -> None:
    """Each bucket once, with the value of a backtest."""
    found = workers.found()
    assert found.wrong == []
    run = Runner.backtest(strategy_from(str(workers.place / "heavy.py")), data, cache=False)
    for group in run._executed.engine.plan.groups:
        for lane, one in enumerate(group.nodes):
            cells = cells_of(run._executed.engine, group, lane, 0)
            wanted = {
                int(bucket): row
                for bucket, status, row in zip(cells.bucket, cells.status, cells.value.tolist(), strict=True)
                if status == VALUE
            }
            latest = found.nodes[one.node_id, 0].latest
            assert {b: list(row) for b, (s, row, _) in latest.items() if s == VALUE} == wanted, one.label


def test_jobs_are_shared_and_survive_a_kill(workers: Workers) -> None:
    write(workers.place, "a.csv", 0, ROWS)
    first, second = (workers.start("--data", "A=a.csv") for _ in range(2))
    assert until(lambda: workers.jobs() >= 1, 60.0)
    first.send_signal(signal.SIGKILL)
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    told = json.loads(out)["metrics"]
    assert told["history_jobs_total"] >= 1
    assert told.get("commit_duplicate_total", 0.0) == 0.0
    check(workers, Catalog(str(workers.place / "a.csv"), id="A", tz="UTC"))


def test_a_stream_that_is_followed_has_a_history(workers: Workers) -> None:
    """The two overlap; what both have counts once."""
    write(workers.place, "before.csv", 0, 6 * 1024)
    write(workers.place, "live.csv", 6 * 1024 - 50, 6 * 1024 + 50)
    worker = workers.start("--follow", "--data", "A=live.csv", "--history", "A=before.csv", idle="2")
    _, err = worker.communicate(timeout=120)
    assert worker.returncode == 0, err
    found = workers.found()
    assert found.wrong == []
    write(workers.place, "all.csv", 0, 6 * 1024 + 50)
    check(workers, Catalog(str(workers.place / "all.csv"), id="A", tz="UTC"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--data", "A=a.csv", "--history", "A=a.csv"), "--follow"),
        (("--follow", "--data", "A=a.csv", "--history", "B=a.csv"), "no strategy reads this stream"),
        (("--follow", "--data", "A=a.csv", "--history", "A=none.csv"), "none.csv"),
    ],
)
def test_histories_that_are_none_are_told(workers: Workers, given: tuple[str, ...], said: str) -> None:
    write(workers.place, "a.csv", 0, 10)
    _, err = workers.start(*given).communicate(timeout=60)
    assert said in err
    assert "Traceback" not in err
