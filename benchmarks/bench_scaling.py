"""What a second worker is worth: author's nodes over files that grow, by one `qmtl worker` and by two.

The workers follow files that are empty but for a row, until each slot is owned and the work is shared; then all rows
are added. It is over when everything is committed. What is found then is counted: each bucket of each node once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from figures import Figure, case, show
from harness import console, keep, options
from qmtl.core.flow.commit import Slot, Topic
from qmtl.runtime.worker.reading import read_all
from qmtl.wiring import log as open_log

TITLE = "A second worker"
SYMBOLS, ROWS = {"small": 8, "mid": 24}, 6_000
LEAST = 1.6  # times as fast with two as with one, as was asked
BEGIN = 1_700_000_040
LOOK_SECONDS, QUIET_SECONDS, JOIN_SECONDS = 0.05, 2.0, 8.0
STRATEGY = '''
from qmtl import Strategy, StreamInput, node


@node
def costly(view, *, k: float):
    """About a tenth of a millisecond."""
    total = 0.0
    for one in view.x.tolist() * 50:
        total += one * k - 1.0
    return total


class Costly(Strategy):
    def define(self):
        for number in range({symbols}):
            close = StreamInput(f"S{{number}}", interval="1m", fields=("close",)).close
            self.output(f"costly {{number}}", costly(x=close.window(20), k=2.0))
'''


def main() -> None:
    given = options(("small", "mid"), __doc__)
    cases: dict[str, object] = {}
    for size in given.sizes:
        symbols = SYMBOLS[size]
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(given.rounds):
            for workers in sorted(seconds, reverse=bool(turn % 2)):
                seconds[workers].append(_run(symbols, workers))
        one, two = min(seconds[1]), min(seconds[2])
        figures = {
            "one worker": Figure(one, "s"),
            "two workers": Figure(
                two, "s", one / LEAST, f"{one / two:.2f} times as fast; {LEAST} was asked for"
            ),
            "buckets committed, two workers": Figure(2 * symbols * ROWS / two, "/s"),
        }
        label = f"{symbols} nodes of a Python function, {ROWS:,} buckets each"
        show(f"{TITLE}: {label}", figures)
        cases[label] = case(
            figures, symbols=symbols, rows=ROWS, seconds={str(n): s for n, s in seconds.items()}
        )
    keep("scaling", TITLE, cases, given)


def _run(symbols: int, workers: int) -> float:
    """Seconds from the rows' being there to the last commit."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "costly.py").write_text(STRATEGY.format(symbols=symbols))
        lines = {f"S{number}": _lines(number) for number in range(symbols)}
        for name, rows in lines.items():
            (place / f"{name}.csv").write_text("ts,close\n" + rows[0])
        started = [_start(place) for _ in range(workers)]
        try:
            _wait_until_quiet(place, JOIN_SECONDS)
            for name, rows in lines.items():
                with (place / f"{name}.csv").open("a") as file:
                    file.write("".join(rows[1:]))
            begin = time.perf_counter()
            seconds = _wait_until_quiet(place, QUIET_SECONDS) - begin
        finally:
            for each in started:
                each.send_signal(signal.SIGTERM)
            told = [each.communicate(timeout=60)[1] for each in started]
        if any(each.returncode for each in started):
            raise RuntimeError(f"a worker failed: {told}")
        _check(place, symbols)
        return seconds


def _lines(number: int) -> list[str]:
    price = 100 + np.random.default_rng(number).normal(0, 1, ROWS).cumsum()
    return [f"{BEGIN + 60 * n},{one}\n" for n, one in enumerate(price.tolist())]


def _start(place: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "qmtl", "worker", "costly.py", "--catalog", "{id}.csv", "--tz", "UTC"]
    command += ["--follow", "--log", f"sqlite:///{place}/log.sqlite", "--snapshots", "off", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=place, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes)  # type: ignore[call-overload, no-any-return]


def _wait_until_quiet(place: Path, quiet_seconds: float) -> float:
    """When the last step was committed (perf_counter), once there was none for so long."""
    return asyncio.run(_quiet(place, quiet_seconds))


async def _quiet(place: Path, quiet_seconds: float) -> float:
    log = await open_log(f"sqlite:///{place}/log.sqlite")
    try:
        before, last = -1, time.perf_counter()
        while time.perf_counter() - last < quiet_seconds or before <= 0:
            now = sum([int((await log.end(Topic.COMMITS, Slot(n))).visible) for n in range(log.slots)])
            if now != before:
                before, last = now, time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
        return last
    finally:
        await log.close()


def _check(place: Path, symbols: int) -> None:
    async def read() -> tuple[list[str], list[int]]:
        log = await open_log(f"sqlite:///{place}/log.sqlite")
        try:
            found = await read_all(log)
            return found.wrong, [len(one.latest) for one in found.nodes.values()]
        finally:
            await log.close()

    wrong, counts = asyncio.run(read())
    if wrong or len(counts) != 2 * symbols or min(counts) < ROWS - 20:
        raise RuntimeError(f"{wrong[:3]}; buckets of nodes: {sorted(counts)[:3]} of {len(counts)}")
    console.print(f"[dim]{sum(counts):,} buckets, each once[/]")


if __name__ == "__main__":
    main()
