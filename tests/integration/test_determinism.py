"""Repeated runs agree to the bit, whatever the shell, the hash seed and the sizes of chunks say (R9)."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

RUNS = 20
SCRIPT = """
import sys
from hashlib import sha256
import numpy as np
if {late}:
    np.ones((64, 64)) @ np.ones((64, 64))  # the library has started before qmtl comes
from qmtl import Event, Runner, Strategy, StreamInput, node
import qmtl.runtime.backtest as backtest
backtest.CHUNK = {chunk}

@node
def product(view):
    wide = np.outer(view.x, view.x[::-1]) / 7.0 + np.arange(400.0)[:, None] / 3.0
    wide = wide @ np.sin(wide)
    return float(wide.ravel() @ wide.T.ravel())

class Multiplied(Strategy):
    def define(self):
        x = StreamInput("A", interval="1m", fields=("value",)).value
        self.output("out", product(x=x.window(400)).ema(3))

chance = np.random.default_rng(1)
prices = (100 + chance.normal(0, 1, 430).cumsum()).tolist()
events = [Event("A", n * 60_000_000_000, price) for n, price in enumerate(prices)]
run = Runner.backtest(Multiplied(), events, cache=False)
print(sha256(run.frame("out").to_numpy().tobytes()).hexdigest())
"""


def _run(number: int, folder: Path) -> str:
    script = SCRIPT.format(chunk=(7, 50, 1 << 18)[number % 3], late=number % 4 == 0)
    threads = str(1 + number % 2)
    environ = os.environ | {"PYTHONHASHSEED": str(number), "QMTL_CACHE": "off"}
    environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    file = folder / f"run{number}.py"  # a node's code is read from its file
    file.write_text(script)
    done = subprocess.run(
        [sys.executable, str(file)], check=False, capture_output=True, text=True, env=environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_twenty_runs_have_one_digest(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        digests = set(pool.map(lambda number: _run(number, tmp_path), range(RUNS)))
    assert len(digests) == 1, digests
