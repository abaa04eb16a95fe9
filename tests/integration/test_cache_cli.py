"""`qmtl run` keeps and finds results; `qmtl cache` looks after them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPAN_SECONDS = 1024 * 60
BEGIN = 1_700_000_000 // SPAN_SECONDS * SPAN_SECONDS  # whole slices, each of them dear enough to be kept

STRATEGY = """
from qmtl import Strategy, StreamInput, node

@node
def slow(view, *, k: float):
    total = 0.0
    for one in view.x.tolist() * 40:
        total += one * k - 1.0
    return total

class Slow(Strategy):
    k: float = 1.0

    def define(self):
        close = StreamInput("A", interval="1m").close
        inner = slow(x=close.window(20), k=self.k)
        self.output("inner", inner)
        self.output("outer", slow(x=inner.window(9), k=2.0))
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(STRATEGY)
    price = 100 + np.random.default_rng(1).normal(0, 1, 2048).cumsum()
    rows = [f"{BEGIN + 60 * n},{p},{p + 1},{p - 1},{p},1" for n, p in enumerate(price)]
    (tmp_path / "a.csv").write_text("ts,open,high,low,close,volume\n" + "\n".join(rows))
    return tmp_path


def qmtl(place: Path, *args: str, cache: str | None = None, code: int = 0) -> Any:
    environ = os.environ | {"QMTL_CACHE": str(place / "kept") if cache is None else cache}
    command = [sys.executable, "-m", "qmtl", *args]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=place, env=environ)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout) if "--json" in args else done.stdout + done.stderr


def run(place: Path, *more: str, **options: Any) -> dict[str, Any]:
    return qmtl(place, "run", "slow.py", "--data", "A=a.csv", "--tz", "UTC", "--json", *more, **options)[
        "reuse"
    ]


def test_a_cache_from_the_first_run_to_the_last(place: Path) -> None:
    first = run(place)
    assert first["computed"] == first["stored"] > 0 == first["reused"]
    again = run(place)
    assert again["computed"] == 0 and again["hit_ratio"] == 1.0 and again["saved"] > 0
    assert run(place, "--set", "k=3")["reused"] == 0
    assert "known" in qmtl(place, "run", "slow.py", "--data", "A=a.csv", "--tz", "UTC")

    told = qmtl(place, "cache", "stats", "--json")
    assert told["slices"] == 2 * first["stored"] and told["nodes"] == 4 and told["runtimes"] == 1
    assert told["dangling"] == told["unnamed"] == 0 < told["seconds"]

    clean = qmtl(place, "cache", "audit", "--json")
    assert clean["corrupt"] == [] and clean["blobs"] == clean["sealed"] == told["packs"]
    tampered = max((place / "kept" / "blobs").rglob("*"), key=lambda one: one.stat().st_size)
    content = bytearray(tampered.read_bytes())
    content[len(content) // 2] ^= 1
    tampered.write_bytes(content)
    found = qmtl(place, "cache", "audit", "--json", code=1)
    assert found["corrupt"] == [f"blob {tampered.name}"]
    assert qmtl(place, "cache", "audit", "--json")["corrupt"] == []
    repaired = run(place)["computed"] + run(place, "--set", "k=3")["computed"]
    assert 0 < repaired <= 2 * first["stored"]
    assert run(place)["computed"] == run(place, "--set", "k=3")["computed"] == 0

    assert qmtl(place, "cache", "gc", "--keep", "0", "--json")["bytes"] > 0
    assert qmtl(place, "cache", "stats", "--json")["slices"] == 0
    assert run(place)["computed"] == first["computed"]


def test_results_of_a_node_can_be_disowned(place: Path) -> None:
    first = run(place)
    nodes = qmtl(place, "graph", "slow.py", "--json")
    inner = nodes["outputs"]["inner"]
    assert qmtl(place, "cache", "disown", inner[:12], "--json")["node"] == inner
    again = run(place)
    assert (
        again["computed"] + again["reused"] == first["computed"] and again["reused"] > 0 < again["computed"]
    )
    assert "nothing of such a node" in qmtl(place, "cache", "disown", "0123", code=2)


def test_it_can_be_off_elsewhere_or_impossible(place: Path) -> None:
    assert run(place, cache="off") is None
    assert run(place, "--cache", "off") is None
    assert run(place, "--cache", str(place / "other"))["stored"] > 0
    (place / "file").write_text("")
    assert run(place, cache=str(place / "file")) is None  # a run does not need a cache
    told = qmtl(place, "run", "slow.py", "--data", "A=a.csv", "--tz", "UTC", "--cache", "file", code=2)
    assert told.startswith("error: cache") and "Traceback" not in told
    assert "there is no cache" in qmtl(place, "cache", "stats", cache="off", code=2)
    assert "not a size" in qmtl(place, "cache", "gc", "--keep", "much", code=2)
