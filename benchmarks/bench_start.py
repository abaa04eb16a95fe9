"""From nothing to the first result: the import, and `qmtl run` on 10,000 bars with the compile cache warm and cold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from rich.table import Table

from harness import case_as_json, console, keep, options
from single import walk
from workload import FIELDS, MINUTE, START

TITLE = "From nothing to the first result"
BARS = 10_000
IMPORT = "from qmtl import Runner, Strategy, StreamInput"
STRATEGY = """
from qmtl import Strategy, StreamInput


class Trend(Strategy):
    def define(self):
        m1 = StreamInput("A", interval="1m")
        fast, slow = m1.close.ema(12), m1.close.ema(26)
        self.output("score", m1.close.zscore(60))
        self.output("rsi", m1.close.rsi(14))
        self.target(m1, (fast > slow) * 1.0)
"""
LIMITS = {"import": 0.2, "run, warm": 2.0, "run, cold": 30.0}  # seconds


def seconds(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[float, str]:
    began = perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    taken = perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return taken, done.stdout + done.stderr


def prepare(folder: Path) -> list[str]:
    """A strategy and a Parquet file of bars; the command that runs them."""
    close = walk(BARS)[:, 0]
    times = pa.array(START + np.arange(BARS) * MINUTE, pa.timestamp("ns", "UTC"))
    table = dict.fromkeys(FIELDS, close) | {"ts": times}
    parquet.write_table(pa.table(table), folder / "A.parquet")
    (folder / "trend.py").write_text(STRATEGY, encoding="utf-8")
    return [sys.executable, "-m", "qmtl", "run", "trend.py", "--data", "A=A.parquet", "--json"]


def main() -> None:
    given = options(("all",), __doc__)
    found: dict[str, list[float]] = {name: [] for name in LIMITS}
    said = ""
    with TemporaryDirectory() as name:
        folder = Path(name)
        command = prepare(folder)
        for number in range(given.rounds):
            found["import"].append(seconds([sys.executable, "-c", IMPORT], folder, {})[0])
            if number < 2:
                cold = {"NUMBA_CACHE_DIR": str(folder / f"cache{number}")}
                taken, said = seconds(command, folder, cold)
                found["run, cold"].append(taken)
            warm = {"NUMBA_CACHE_DIR": str(folder / "cache0")}
            found["run, warm"].append(seconds(command, folder, warm)[0])
    table = Table("", "best, s", "median, s", "asked for, s", title=TITLE)
    ratios: dict[str, Any] = {}
    for name, limit in LIMITS.items():
        best = min(found[name])
        table.add_row(name, f"{best:.2f}", f"{median(found[name]):.2f}", f"≤ {limit}")
        ratios[f"{name}: what is asked for against what it takes"] = {"ratio": limit / best, "least": 1.0}
    console.print(table)
    console.print(f"said while it compiled: {'yes' if 'compil' in said else 'nothing'}")
    cases = {"all": case_as_json({}, seconds=found, ratios=ratios, says_that_it_compiles="compil" in said)}
    keep("start", TITLE, cases, given)


if __name__ == "__main__":
    main()
