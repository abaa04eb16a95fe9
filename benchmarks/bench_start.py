"""From a cold process to the first result: the import, and `qmtl run` with and without compiled code on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figures import Figure, case, show
from harness import console, keep, options
from workload import FIELDS, workload

TITLE = "Start of a process"
BARS = 10_000
IMPORT = "from qmtl import Runner, Strategy, StreamInput"
STRATEGY = """from qmtl import Strategy, StreamInput, where


class Trend(Strategy):
    def define(self):
        btc = StreamInput("BTC", interval="1m")
        edge = btc.close.ema(12) - btc.close.ema(26)
        self.output("edge", edge)
        self.target(btc, where(edge > 0, 1.0, 0.0))
"""


def main() -> None:
    given = options(("small",), __doc__)
    with TemporaryDirectory() as folder:
        figures = _figures(Path(folder), 3 if given.quick else 5, cold=not given.quick)
    show(f"{TITLE}: {BARS:,} bars", figures)
    keep("start", TITLE, {"one stream": case(figures, bars_read=BARS)}, given)


def _figures(folder: Path, rounds: int, cold: bool) -> dict[str, Figure]:
    empty = [sys.executable, "-c", "pass"]
    loaded = [sys.executable, "-c", IMPORT]
    bare, whole = (min(_seconds(each)[0] for _ in range(rounds)) for each in (empty, loaded))
    run = _run(folder)
    answer = _seconds(run)[1]  # compiles what is not compiled yet
    _check(answer)
    warm = min(_seconds(run)[0] for _ in range(rounds))
    figures = {
        "Python alone": Figure(bare, "s"),
        "import": Figure(whole - bare, "s", 0.2, "beyond Python alone"),
        "qmtl run, compiled before": Figure(warm, "s", 2.0, "the whole process"),
    }
    if cold:
        seconds, said, told = _seconds(run, {"NUMBA_CACHE_DIR": str(folder / "compiled")})
        if json.loads(said)["metrics"] != json.loads(answer)["metrics"]:
            raise AssertionError("the first run and a later one differ")
        says = "says that it compiles" if "compil" in told else "says nothing"
        figures["qmtl run, nothing compiled"] = Figure(seconds, "s", 30.0, f"the whole process; {says}")
    return figures


def _run(folder: Path) -> list[str]:
    """`qmtl run` of one strategy over a Parquet file."""
    of = workload("small")
    times = pa.array(of.times[:BARS], pa.timestamp("ns", "UTC"))
    columns = {"time": times} | {name: np.ascontiguousarray(of.field(name)[:BARS, 0]) for name in FIELDS}
    pq.write_table(pa.table(columns), folder / "btc.parquet")
    (folder / "trend.py").write_text(STRATEGY, encoding="utf-8")
    data = f"BTC={folder / 'btc.parquet'}"
    return [sys.executable, "-m", "qmtl", "run", str(folder / "trend.py"), "--data", data, "--json"]


def _check(said: str) -> None:
    document = json.loads(said)
    if document["failures"] or document["counters"] == {} or not document["fills"]:
        raise AssertionError(f"the run is not what it should be: {said[:500]}")


def _seconds(command: Sequence[str], more: Mapping[str, str] | None = None) -> tuple[float, str, str]:
    """The time a process takes from its start to its end, what it prints and what it says beside."""
    began = perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(more or {})}
    )
    seconds = perf_counter() - began
    if done.returncode:
        console.print(done.stderr[-2000:])
        raise SystemExit(f"{' '.join(command[:4])} ended with {done.returncode}")
    return seconds, done.stdout, done.stderr


if __name__ == "__main__":
    main()
