"""The command line: what it prints, how it ends, and its one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

STRATEGY = """
from qmtl import Strategy, StreamInput, where

class Cross(Strategy):
    fast: int = 3
    def define(self):
        btc = StreamInput("BTC", interval="1m")
        average = btc.close.sma(self.fast)
        self.output("average", average)
        self.target(btc, where(btc.close > average, 1.0, 0.0))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cross.py").write_text(STRATEGY)
    (tmp_path / "two.py").write_text(STRATEGY + STRATEGY.replace("Cross", "Other"))
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("def f(:\n")
    close = 100 + np.random.default_rng(1).normal(0, 1, 300).cumsum()
    made = {
        "time": pd.date_range("2022-01-01", periods=300, freq="1min", tz="UTC"),
        "close": close,
        "volume": 1.0,
    }
    made |= {"open": close, "high": close + 1, "low": close - 1}
    pd.DataFrame(made).to_csv(tmp_path / "btc.csv", index=False)
    return tmp_path


def qmtl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qmtl", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def document(folder: Path, *arguments: str) -> dict[str, object]:
    done = qmtl(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_run(folder: Path) -> None:
    done = qmtl(folder, "run", "cross.py", "--data", "BTC=btc.csv", "--report", "report.html")
    assert done.returncode == 0, done.stderr
    assert "<svg" in (folder / "report.html").read_text()
    told = document(folder, "run", "cross.py", "--data", "BTC=btc.csv")
    assert told["strategy"] == "Cross"
    assert told["counters"]["BTC"]["used"] == 300  # type: ignore[index]
    assert told == document(folder, "run", "cross.py", "--data", "BTC=btc.csv"), "the same run tells the same"


def test_a_parameter_changes_the_ids(folder: Path) -> None:
    one, other = (
        document(folder, "graph", "cross.py"),
        document(folder, "graph", "cross.py", "--set", "fast=5"),
    )
    assert one["outputs"] != other["outputs"]


def test_graph(folder: Path) -> None:
    done = qmtl(folder, "graph", "cross.py")
    assert done.returncode == 0 and "sma" in done.stdout and "target BTC" in done.stdout


def test_check(folder: Path) -> None:
    done = qmtl(folder, "check", "cross.py", "--data", "BTC=btc.csv")
    assert done.returncode == 0 and "no look-ahead" in done.stdout


def test_ops(folder: Path) -> None:
    assert len(document(folder, "ops")["operators"]) >= 60  # type: ignore[arg-type]
    done = qmtl(folder, "ops", "sma")
    assert done.returncode == 0 and "mean of the last n rows" in done.stdout


@pytest.mark.parametrize("command", ["", "run", "graph", "check", "ops", "demo"])
def test_help(folder: Path, command: str) -> None:
    done = qmtl(folder, *command.split(), "--help")
    assert done.returncode == 0 and "Usage" in done.stdout


WRONG = {
    "a file that is not there": (("run", "nowhere.py", "--data", "BTC=btc.csv"), "no such file"),
    "a broken file": (("run", "broken.py", "--data", "BTC=btc.csv"), "broken.py:1: not valid Python"),
    "a file without a strategy": (("run", "none.py", "--data", "BTC=btc.csv"), "defines no strategy"),
    "a file with two": (("run", "two.py", "--data", "BTC=btc.csv"), "two.py:Cross"),
    "no data": (("run", "cross.py"), "no data given"),
    "data without an id": (("run", "cross.py", "--data", "btc.csv"), "not of the form name=value"),
    "a time that is none": (("run", "cross.py", "--data", "BTC=btc.csv", "--start", "x"), "is not a time"),
    "an unknown parameter": (("graph", "cross.py", "--set", "slow=1"), "slow"),
    "an unknown operator": (("ops", "smaa"), "did you mean 'sma'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_one_clear_line(folder: Path, case: str) -> None:
    arguments, told = WRONG[case]
    done = qmtl(folder, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.stderr
    assert done.stdout == ""
